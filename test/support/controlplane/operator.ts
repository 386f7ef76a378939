/** The operator program against a control plane of the test's: started with its own command line, stopped, killed. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Program } from "../program.ts";
import { repositoryRoot } from "../results.ts";
import { hear } from "../secrets/disclosure.ts";

export interface OperatorStart {
  /** Directly to the server, through a proxy, or as another user. */
  readonly kubeconfig: string;
  /** Namespace of its lease and its own Secrets; it must exist. */
  readonly namespace: string;
  readonly logFile: string;
  /** Empty: all. */
  readonly namespaces?: readonly string[];
  readonly identity?: string;
  /** Of relay pods. */
  readonly relayImage?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** From the sources unless another one is named. */
  readonly main?: string;
  /** Of Node itself. */
  readonly nodeFlags?: readonly string[];
}

export class OperatorProgram {
  readonly program: Program;
  #port: number | undefined;

  private constructor(program: Program) {
    this.program = program;
  }

  static start(options: OperatorStart): OperatorProgram {
    const { kubeconfig, namespace, namespaces = [], main = join(repositoryRoot, "operator/main.ts") } = options;
    const { nodeFlags = [], identity = `operator-${randomUUID().slice(0, 8)}` } = options;
    const flags = {
      kubeconfig,
      namespace,
      identity,
      "relay-image": options.relayImage ?? "registry.example/mailboat-relay:test",
      host: "127.0.0.1",
      port: "0",
      ...(namespaces.length === 0 ? {} : { namespaces: namespaces.join(",") }),
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const command = [process.execPath, ...nodeFlags, main, "run", ...args];
    return new OperatorProgram(new Program({ command, logFile: options.logFile, env: options.env ?? {} }));
  }

  get isRunning(): boolean {
    const { exitCode, signalCode } = this.program.child;
    return exitCode === null && signalCode === null;
  }

  /** Resolves once it holds the lease and its caches. */
  async leading(deadlineMs = 30_000): Promise<void> {
    await this.program.waitForLog("leading", deadlineMs);
  }

  /** Status and body of one of its pages. */
  async page(path: string): Promise<{ readonly status: number; readonly body: string }> {
    // A connection kept from the last look may be closed by a program that was busy meanwhile, just as it is used again.
    const headers = { connection: "close" };
    const response = await fetch(`http://127.0.0.1:${await this.port()}${path}`, { headers });
    const body = await response.text();
    hear(`${path} of an operator`, body);
    return { status: response.status, body };
  }

  /** Sum of a metric's samples whose labels hold all of those given. */
  async figure(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { body } = await this.page("/metrics");
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    let sum = 0;
    for (const line of body.split("\n")) {
      const [, sample, found = "", value] = /^(\w+)(\{[^}]*\})? (\S+)/.exec(line) ?? [];
      if (sample === name && wanted.every((text) => found.includes(text))) sum += Number(value);
    }
    return sum;
  }

  /** Resolves to its exit code. */
  async stop(): Promise<number | string> {
    return this.program.kill("SIGTERM");
  }

  async kill(): Promise<void> {
    await this.program.kill("SIGKILL");
  }

  /** Of its pages. */
  async port(): Promise<number> {
    this.#port ??= Number((await this.program.waitForLog("operator started")).fields["port"]);
    return this.#port;
  }
}

/** The real relay program on a configuration and a spool of the test's own. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { relayReport, type RelayReport } from "../../api/relayreport.ts";
import { writeConfiguration, type RelayPlan } from "./configuration.ts";
import { Program } from "./program.ts";
import { repositoryRoot } from "./results.ts";
import { hear } from "./secrets/disclosure.ts";

export interface RelayOptions {
  /** Holds configuration, spool and log; a relay started again on it goes on with its spool. */
  readonly directory: string;
  readonly plan: RelayPlan;
  /** Put before the command, for example strace and its options. */
  readonly wrapper?: readonly string[];
  /** Listener name to port; 0 and absent let the system choose. */
  readonly ports?: Readonly<Record<string, number>>;
  readonly spoolDirectory?: string;
  /** What is run in place of the sources, for example a bundle. */
  readonly main?: string;
  /** Beside what every relay is told. */
  readonly env?: Readonly<Record<string, string>>;
}

export class RelayProgram {
  readonly program: Program;
  readonly directory: string;

  private constructor(program: Program, directory: string) {
    this.program = program;
    this.directory = directory;
  }

  /** Resolves when the relay says that it is ready. */
  static async start(options: RelayOptions): Promise<RelayProgram> {
    const configuration = join(options.directory, "config");
    const spool = options.spoolDirectory ?? join(options.directory, "spool");
    mkdirSync(spool, { recursive: true });
    writeConfiguration(configuration, options.plan);
    const ports = { submission: 0, submissions: 0, smtp: 0, http: 0, admin: 0, ...options.ports };
    const main = options.main ?? join(repositoryRoot, "relay/main.ts");
    const program = new Program({
      command: [...(options.wrapper ?? []), process.execPath, main, "run"],
      env: {
        MAILBOAT_CONFIGURATION_DIR: configuration,
        MAILBOAT_SPOOL_DIR: spool,
        MAILBOAT_LISTEN_HOST: "127.0.0.1",
        MAILBOAT_PORTS: JSON.stringify(ports),
        ...options.env,
      },
      logFile: join(options.directory, "relay.log"),
    });
    await program.waitForLog("ready");
    return new RelayProgram(program, options.directory);
  }

  port(listener: string): number {
    const line = this.program.logs("listening").find((each) => each.fields["listener"] === listener);
    return Number(line?.fields["port"]);
  }

  reconfigure(plan: RelayPlan): void {
    writeConfiguration(join(this.directory, "config"), plan);
  }

  async status(): Promise<RelayReport> {
    return relayReport.parse(JSON.parse(await this.#page("status")));
  }

  async metrics(): Promise<string> {
    return this.#page("metrics");
  }

  async #page(name: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.port("http")}/${name}`);
    const text = await response.text();
    hear(`/${name} of ${this.directory}`, text);
    return text;
  }

  /** The highest resident set size so far, in bytes (proc(5), VmHWM). */
  peakMemoryBytes(): number {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.program.pid}/status`, "utf8"));
    return Number(line?.[1]) * 1024;
  }

  /** Of all its threads since the start (proc(5): ticks of a hundredth of a second). */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.program.pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async stop(): Promise<number | string> {
    return this.program.kill("SIGTERM");
  }
}

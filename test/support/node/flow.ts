/** Mail that flows all the time from the client's pod, and the ledger of what was accepted. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { until } from "../until.ts";
import { clientNamespace, login, type MailCluster, relayHost } from "./mailcluster.ts";
import { flowScript } from "./scripts.ts";

export interface FlowResult {
  readonly accepted: number;
  /** Attempts that failed and were made again. */
  readonly troubles: number;
  readonly longestGapSeconds: number;
}

export class Flow {
  readonly #cluster: MailCluster;
  readonly #ledger: string;
  readonly #result: Promise<FlowResult>;

  private constructor(cluster: MailCluster, name: string) {
    this.#cluster = cluster;
    this.#ledger = `/tmp/ledger-${name}`;
    const [from, to] = ["app@example.com", ["flow@example.net"]];
    const question = { host: relayHost, port: 587, ...login, from, to, name, ledger: this.#ledger, pause: 0.05 };
    this.#result = cluster.python<FlowResult>(flowScript, question, 600_000);
    // Awaited by stop(), whatever happens before.
    this.#result.catch(() => {});
  }

  /** Resolves when the first messages are accepted. */
  static async start(cluster: MailCluster, name: string): Promise<Flow> {
    const flow = new Flow(cluster, name);
    await until("a flow of mail", async () => (await flow.accepted()).length >= 5, 60_000);
    return flow;
  }

  /** Flows for a while longer, so that what just changed is used; then ends. */
  async stop(): Promise<FlowResult> {
    await pause(3_000);
    await this.#shell(`touch ${this.#ledger}.stop`);
    return this.#result;
  }

  async accepted(): Promise<readonly string[]> {
    const text = await this.#shell(`cat ${this.#ledger} 2>/dev/null || true`);
    return text.split("\n").filter((line) => line !== "");
  }

  /** Accepted, and not in the inbox. */
  async missing(): Promise<readonly string[]> {
    const arrived = new Set(await this.#cluster.subjects());
    return (await this.accepted()).filter((subject) => !arrived.has(subject));
  }

  #shell(command: string): Promise<string> {
    return this.#cluster.node.kubectl(["exec", "--namespace", clientNamespace, "client", "--", "sh", "-c", command]);
  }
}

/** Runs something while mail flows; then everything that was accepted must be in the inbox. */
export async function underFlow(cluster: MailCluster, name: string, run: () => Promise<void>): Promise<FlowResult> {
  const flow = await Flow.start(cluster, name);
  await run();
  const result = await flow.stop();
  assert.ok(result.accepted > 20, `only ${result.accepted} messages flowed`);
  const isComplete = async (): Promise<boolean> => (await flow.missing()).length === 0;
  await until(`all of ${name}`, isComplete, 60_000).catch(async (error: unknown) => {
    throw new Error(`${String(error)}: lost ${(await flow.missing()).join(", ")}`);
  });
  return result;
}

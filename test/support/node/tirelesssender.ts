/** Senders that take no refusal for an answer, one at each pod of the relay; and the sink that counts what they got through. */
import { until } from "../until.ts";
import { clientNamespace, login, type MailCluster, podHost } from "./mailcluster.ts";
import { sendingScript } from "./scripts.ts";

export interface TirelessResult {
  /** Subjects. */
  readonly accepted: readonly string[];
  /** Refusals for want of a quota. */
  readonly refusals: number;
  /** From before the first message until after the last. */
  readonly seconds: number;
}

const stopFile = "/tmp/sender.stop";

export class TirelessSender {
  readonly #cluster: MailCluster;
  readonly #result: Promise<TirelessResult>;

  private constructor(cluster: MailCluster, domain: string, pods: readonly string[]) {
    this.#cluster = cluster;
    const senders = pods.map((pod) => ({ pod, host: podHost(pod) }));
    const question = { senders, port: 2587, ...login, from: `app@${domain}`, to: "sender@example.net", stopFile };
    this.#result = cluster.python<TirelessResult>(sendingScript, question, 600_000);
    // Awaited by stop(), whatever happens before.
    this.#result.catch(() => {});
  }

  /** Resolves when every pod has refused something. */
  static async start(cluster: MailCluster, domain: string, pods: readonly string[]): Promise<TirelessSender> {
    const sender = new TirelessSender(cluster, domain, pods);
    await until("a refusal of each pod", async () => (await sender.#refusers()).length === pods.length, 60_000);
    return sender;
  }

  async stop(): Promise<TirelessResult> {
    await this.#shell(`touch ${stopFile}`);
    return this.#result;
  }

  /** What of it is in the inbox. */
  async arrived(): Promise<ReadonlySet<string>> {
    return new Set((await this.#cluster.subjects()).filter((subject) => subject.startsWith("sender ")));
  }

  async #refusers(): Promise<readonly string[]> {
    const text = await this.#shell(`ls ${stopFile}.* 2>/dev/null || true`);
    return text.split("\n").filter((line) => line !== "");
  }

  #shell(command: string): Promise<string> {
    return this.#cluster.node.kubectl(["exec", "--namespace", clientNamespace, "client", "--", "sh", "-c", command]);
  }
}

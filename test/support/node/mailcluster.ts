/**
 * A node with everything a mail scenario needs: our image and chart, a real Postfix that receives for example.net, and a pod
 * of another namespace that sends. Names resolve through the node's DNS alone.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chartFolder, helmPlaces, provideHelmProgram } from "../helm.ts";
import { repositoryRoot, resultsDirectoryOf } from "../results.ts";
import { until } from "../until.ts";
import { hearNode } from "./toldobjects.ts";
import { buildMailboatImage, debianImage, mailboatRepository } from "./images.ts";
import { Node } from "./node.ts";
import { clientObjects, inboxObjects } from "./pods.ts";
import { serialScript } from "./scripts.ts";

export const systemNamespace = "mailboat-system";
export const mailNamespace = "mail";
export const clientNamespace = "shop";
export const inboxNamespace = "internet";

/** Of the SenderDomain in the examples. */
export const login = { username: "app", password: "change-me" } as const;
export const relayHost = `outbound.${mailNamespace}.svc.cluster.local`;

/** One pod of the relay; its ports are those of its containers. */
export function podHost(pod: string): string {
  return `${pod}.outbound-pods.${mailNamespace}.svc.cluster.local`;
}

/** What the script that sends is asked. */
export function messageTo(subject: string): object {
  const [from, to] = ["app@example.com", ["someone@example.net"]];
  const message = `From: ${from}\r\nTo: ${to.join(", ")}\r\nSubject: ${subject}\r\n\r\nhello\r\n`;
  return { host: relayHost, port: 587, ...login, from, to, message };
}

export interface SendAnswer {
  readonly accepted: boolean;
  readonly error?: string;
  /** PEM, of the server. */
  readonly certificate?: string;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

interface Judged {
  readonly metadata: { readonly generation: number };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

export class MailCluster {
  readonly node: Node;
  readonly #helm: string;
  #inboxAddress = "";
  /** Where mail for example.net goes. */
  #exchangerAddress = "";

  private constructor(node: Node, helm: string) {
    this.node = node;
    this.#helm = helm;
  }

  /** Nothing of Mailboat is installed yet. `file` is the test's `import.meta.url`; `end` is called with how to stop it. */
  static async open(file: string, end: (run: () => Promise<void>) => void): Promise<MailCluster> {
    const helm = await provideHelmProgram(4);
    const node = await Node.start();
    end(async () => {
      try {
        await hearNode(node);
      } finally {
        await node.stop();
      }
    });
    const cluster = new MailCluster(node, helm);
    mkdirSync(resultsDirectoryOf(file), { recursive: true });
    await observed({ file, name: "setup" }, cluster, () => cluster.#prepare());
    return cluster;
  }

  async #prepare(): Promise<void> {
    const { node } = this;
    await node.addVolumes(12);
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    const spaces = [mailNamespace, systemNamespace].map((name) => ({ metadata: { name, labels } }));
    await node.apply(...spaces.map((space) => ({ apiVersion: "v1", kind: "Namespace", ...space })));
    await node.apply(...inboxObjects(inboxNamespace, debianImage), ...clientObjects(clientNamespace, debianImage));
    await this.importOurImage("v1");
    await node.kubectl(["wait", "--for=condition=Ready", "pod/inbox", "--namespace", inboxNamespace, "--timeout=60s"]);
    await node.kubectl([
      "wait",
      "--for=condition=Ready",
      "pod/client",
      "--namespace",
      clientNamespace,
      "--timeout=60s",
    ]);
    const address = ["get", "service", "inbox", "--namespace", inboxNamespace, "-o", "jsonpath={.spec.clusterIP}"];
    this.#inboxAddress = await node.kubectl(address);
    this.#exchangerAddress = this.#inboxAddress;
    await this.publish([]);
  }

  async importOurImage(version: string): Promise<void> {
    const { archive } = await buildMailboatImage(this.node.plan.directory, version);
    await this.node.importImage(archive);
  }

  /** What the world's DNS says: where mail for example.net and example.org goes, and these records. Resolves when pods hear it. */
  async publish(records: readonly string[]): Promise<void> {
    const serial = this.node.setRecords([
      "example.net. 1 IN MX 10 mx.example.net.",
      // Where the examples send to.
      "example.org. 1 IN MX 10 mx.example.net.",
      `mx.example.net. 1 IN A ${this.#exchangerAddress}`,
      ...records,
    ]);
    await until("the new zone", async () => (await this.python<number>(serialScript, {})) === serial);
  }

  /** Mail for example.net finds nobody who listens, until it may arrive again. Other records that were published go. */
  async mayArrive(isPossible: boolean): Promise<void> {
    const path = "jsonpath={.status.podIP}";
    const client = ["get", "pod", "client", "--namespace", clientNamespace, "-o", path];
    this.#exchangerAddress = isPossible ? this.#inboxAddress : await this.node.kubectl(client);
    await this.publish([]);
  }

  async helm(args: readonly string[]): Promise<string> {
    const env = { ...helmPlaces(join(this.node.plan.directory, "helm")), KUBECONFIG: this.node.kubeconfig };
    const command = [this.#helm, ...args, "--namespace", systemNamespace];
    const { code, stdout, stderr } = await this.node.run(command, { env, deadlineMs: 300_000 });
    if (code !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr}${stdout}`);
    return stdout;
  }

  /** As a person would, with the image that the node has; both namespaces enforce the restricted standard. */
  async install(values: readonly string[] = [], chart = chartFolder): Promise<string> {
    return this.helm(["install", "mailboat", chart, "--wait", "--timeout", "2m", ...this.values(values)]);
  }

  async upgrade(values: readonly string[] = []): Promise<string> {
    return this.helm(["upgrade", "mailboat", chartFolder, "--wait", "--timeout", "2m", ...this.values(values)]);
  }

  values(more: readonly string[]): readonly string[] {
    const ours = [`image.repository=${mailboatRepository}`, "image.tag=v1", "rbac.secrets.namespaces={mail}"];
    return [...ours, ...more].flatMap((value) => ["--set", value]);
  }

  /** Changes the spec of one of ours as a person would. */
  async patch(kind: "mailrelay" | "senderdomain", name: string, spec: object): Promise<void> {
    const patch = ["--type=merge", "--patch", JSON.stringify({ spec })];
    await this.node.kubectl(["patch", kind, name, "--namespace", mailNamespace, ...patch]);
  }

  async status<T>(kind: "mailrelay" | "senderdomain", name: string): Promise<T | undefined> {
    const object = await this.node.get<{ readonly status?: T }>(kind, mailNamespace, name);
    return object?.status;
  }

  /** Waits for a condition of the spec as it is now; the error names the last that was seen. */
  async untilCondition(
    kind: "mailrelay" | "senderdomain",
    name: string,
    wanted: { readonly type: string; readonly status?: string; readonly reason?: string; readonly withinMs?: number },
  ): Promise<Condition> {
    let last: readonly Condition[] = [];
    const { type, status = "True", reason, withinMs = 60_000 } = wanted;
    try {
      return await until(
        `${kind} ${name}: ${type}=${status}`,
        async () => {
          const object = await this.node.get<Judged>(kind, mailNamespace, name);
          last = object?.status?.conditions ?? [];
          return last.find(
            (one) =>
              one.type === type &&
              one.status === status &&
              (reason ?? one.reason) === one.reason &&
              one.observedGeneration === object?.metadata.generation,
          );
        },
        withinMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}; conditions: ${JSON.stringify(last, undefined, 1)}`, { cause: error });
    }
  }

  /** Runs a Python script in the pod that sends; its answer is the JSON it prints as its last line. */
  async python<T>(script: string, input: unknown, deadlineMs = 120_000): Promise<T> {
    const where = ["--namespace", clientNamespace, "--stdin", "client", "--"];
    const args = ["exec", ...where, "python3", "-c", script];
    const text = await this.node.kubectl(args, { input: JSON.stringify(input), deadlineMs });
    return JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as T;
  }

  /** The message of that subject once Postfix has it, as it was on the wire: Postfix keeps LF where CRLF was. */
  async arrived(subject: string): Promise<string> {
    const find = `cd /var/mail/inbox/new 2>/dev/null && cat $(grep -lxF "Subject: $0" * | head -1) /dev/null`;
    const search = ["exec", "--namespace", inboxNamespace, "inbox", "--", "sh", "-c", find, subject];
    const text = await until(
      `"${subject}" in the inbox`,
      async () => {
        const found = await this.node.kubectl(search).catch(() => "");
        return found === "" ? undefined : found;
      },
      60_000,
    );
    return text.replaceAll(/\r?\n/g, "\r\n");
  }

  /** Of every message that Postfix has. */
  async subjects(): Promise<readonly string[]> {
    const list = "find /var/mail/inbox/new -type f -exec grep -hm1 ^Subject: {} + 2>/dev/null || true";
    const text = await this.node.kubectl(["exec", "--namespace", inboxNamespace, "inbox", "--", "sh", "-c", list]);
    return text.split("\n").flatMap((line) => (line === "" ? [] : [line.replace(/^Subject: /, "")]));
  }

  /** Restarts and identities of the relay's pods: what must not change when nothing has to. */
  async podIdentities(): Promise<readonly string[]> {
    const path = `{range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[0].restartCount}{"\\n"}{end}`;
    const args = [
      "get",
      "pods",
      "--namespace",
      mailNamespace,
      "-l",
      "mailboat.dev/relay=outbound",
      "-o",
      `jsonpath=${path}`,
    ];
    return (await this.node.kubectl(args))
      .split("\n")
      .filter((line) => line !== "")
      .toSorted();
  }
}

/** Runs a scenario; when it fails, what a person wants to see of the node is kept beside the test's results. */
export async function observed(
  { file, name }: { readonly file: string; readonly name: string },
  cluster: MailCluster,
  scenario: () => Promise<void>,
): Promise<void> {
  try {
    await scenario();
  } catch (error) {
    await cluster.node.collect(join(resultsDirectoryOf(file), name.replaceAll(/[^a-z0-9]+/gi, "-")));
    throw error;
  }
}

/** The relay and the domain of the README, until both are Ready. */
export async function applyExamples(cluster: MailCluster, sources = repositoryRoot): Promise<void> {
  for (const file of ["relay.yaml", "domain.yaml"]) {
    await cluster.node.kubectl(["apply", "-n", mailNamespace, "-f", join(sources, "examples/cluster", file)]);
  }
  await cluster.untilCondition("mailrelay", "outbound", { type: "Ready", withinMs: 90_000 });
  await cluster.untilCondition("senderdomain", "example-com", { type: "Ready" });
}

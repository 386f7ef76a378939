/**
 * From nothing: a node, `helm install`, the examples of the README, and a message from a pod in another namespace to a real
 * Postfix, signed with the keys that status told us to publish, and traced.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ClusterCollector, collectorEndpoint } from "../support/node/clustercollector.ts";
import { mailNamespace, MailCluster, observed, systemNamespace } from "../support/node/mailcluster.ts";
import { lackingNode } from "../support/node/programs.ts";
import { sendScript, verifyScript } from "../support/node/scripts.ts";
import { repositoryRoot } from "../support/results.ts";
import { until } from "../support/until.ts";

const skip = lackingNode();
const ends: (() => Promise<void>)[] = [];
let opened: MailCluster | undefined;
let collector: ClusterCollector | undefined;

before(async () => {
  if (skip !== false) return;
  opened = await MailCluster.open(import.meta.url, (run) => ends.push(run));
  collector = await ClusterCollector.start(opened.node);
});
after(async () => {
  await collector?.stop();
  for (const end of ends) await end();
});

function scenario(name: string, run: (cluster: MailCluster) => Promise<void>): void {
  test(name, { skip }, async () => {
    const cluster = opened;
    if (cluster === undefined) throw new Error("there is no node");
    await observed({ file: import.meta.url, name }, cluster, () => run(cluster));
  });
}

interface DomainStatus {
  readonly dnsRecords: readonly { readonly type: string; readonly zoneLine: string }[];
}

const server = { host: `outbound.${mailNamespace}.svc.cluster.local`, port: 587 };
const login = { username: "app", password: "change-me" };

function messageTo(subject: string): object {
  const [from, to] = ["app@example.com", ["someone@example.net"]];
  const message = `From: ${from}\r\nTo: ${to.join(", ")}\r\nSubject: ${subject}\r\n\r\nhello\r\n`;
  return { ...server, ...login, from, to, message };
}

interface SendAnswer {
  readonly accepted: boolean;
  readonly error?: string;
}

async function arrived(cluster: MailCluster, subject: string): Promise<string> {
  const wanted = `Subject: ${subject}`;
  return until(
    `"${subject}" in the inbox`,
    async () => (await cluster.inbox()).find((one) => one.includes(wanted)),
    60_000,
  );
}

scenario("helm install tells the next three commands, and they are enough", async (cluster) => {
  const notes = await cluster.install(["replicas=2"]);
  assert.match(notes, /kubectl create rolebinding mailboat-secrets --namespace mail/);
  assert.match(notes, /kubectl get mailrelays,senderdomains --namespace mail/);
  for (const file of ["relay.yaml", "domain.yaml"]) {
    await cluster.node.kubectl([
      "apply",
      "--namespace",
      mailNamespace,
      "-f",
      join(repositoryRoot, "examples/cluster", file),
    ]);
  }
  await cluster.untilCondition("mailrelay", "outbound", { type: "Ready", withinMs: 90_000 });
  await cluster.untilCondition("senderdomain", "example-com", { type: "Ready" });
  const table = await cluster.node.kubectl(["get", "mr,sd", "--namespace", mailNamespace]);
  assert.match(table, /mailrelay\S*\/outbound\s+True/);
  assert.match(table, /senderdomain\S*\/example-com\s+True/);
});

scenario(
  "a pod of another namespace sends through the Service, and the signature verifies by what status says",
  async (cluster) => {
    const tracing = { endpoint: collectorEndpoint, samplingRatio: "1.0" };
    await cluster.patch("mailrelay", "outbound", { tracing });
    await cluster.untilCondition("mailrelay", "outbound", { type: "Programmed" });
    const status = await cluster.status<DomainStatus>("senderdomain", "example-com");
    const records = (status?.dnsRecords ?? []).filter(({ type }) => type === "TXT");
    assert.ok(records.length >= 2, JSON.stringify(status));
    await cluster.publish(records.map(({ zoneLine }) => zoneLine));

    const answer = await cluster.python<SendAnswer>(sendScript, messageTo("first"));
    assert.deepEqual({ ...answer, certificate: undefined }, { accepted: true, certificate: undefined });
    const message = await arrived(cluster, "first");
    assert.match(message, /^Received: from .*relay\.example\.com/m);
    // What Postfix writes with LF had CRLF on the wire, which is what was signed.
    const wire = message.replaceAll(/\r?\n/g, "\r\n");
    assert.deepEqual(await cluster.python<boolean[]>(verifyScript, { message: wire }), [true, true]);
  },
);

scenario("the trace of all its hops is in the collector", async () => {
  const names = ["smtp.receive", "mail.spool", "mail.deliver", "mail.sign", "smtp.send"];
  await until("the spans", () => names.every((name) => (collector?.spans() ?? []).some((span) => span.name === name)));
  const spans = collector?.spans() ?? [];
  const { traceId } = spans.find(({ name }) => name === "smtp.receive") ?? {};
  const together = spans.filter((span) => span.traceId === traceId).map(({ name }) => name);
  for (const name of names) assert.ok(together.includes(name), `${name} among ${together.join(" ")}`);
});

scenario("who is not let in relays nothing", async (cluster) => {
  const wrong = await cluster.python<SendAnswer>(sendScript, { ...messageTo("never"), password: "wrong" });
  assert.match(wrong.error ?? "", /SMTPAuthenticationError\(535/);
});

scenario("a changed SenderDomain is served by all pods within ten seconds", async (cluster) => {
  const hosts = ["outbound-0", "outbound-1"].map((pod) => `${pod}.outbound-pods.${mailNamespace}.svc.cluster.local`);
  const ask = async (host: string): Promise<SendAnswer> =>
    cluster.python<SendAnswer>(sendScript, { ...messageTo("changed"), host, port: 2587 });
  for (const host of hosts) assert.equal((await ask(host)).accepted, true, host);
  const startedAt = performance.now();
  await cluster.patch("senderdomain", "example-com", { addresses: ["only-this"] });
  for (const host of hosts) {
    await until(`${host} refuses the sender`, async () =>
      /SMTPSenderRefused\(55\d/.test((await ask(host)).error ?? ""),
    );
  }
  const seconds = (performance.now() - startedAt) / 1000;
  assert.ok(seconds < 10, `${seconds.toFixed(1)} s`);
  await cluster.patch("senderdomain", "example-com", { addresses: ["*"] });
});

scenario("helm test sends a message and leaves nothing", async (cluster) => {
  await cluster.helm(["test", "mailboat", "--timeout", "3m"]);
  const gone = async (): Promise<boolean> => {
    const args = [
      "get",
      "mailrelays,senderdomains,pods,secrets,configmaps",
      "--namespace",
      systemNamespace,
      "-o",
      "name",
    ];
    return !(await cluster.node.kubectl(args)).includes("mailboat-test");
  };
  await until("a namespace without the test", gone, 60_000);
});

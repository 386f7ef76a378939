/**
 * From nothing: a node, `helm install`, the examples of the README, and a message from a pod in another namespace to a real
 * Postfix, signed with the keys that status told us to publish, and traced.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { ClusterCollector, collectorEndpoint, type PrintedSpan } from "../support/node/clustercollector.ts";
import { openClusterStage } from "../support/node/clusterstage.ts";
import { applyExamples, mailNamespace, messageTo, podHost, type SendAnswer } from "../support/node/mailcluster.ts";
import { login, type MailCluster, systemNamespace } from "../support/node/mailcluster.ts";
import { debianImage, mailboatRepository } from "../support/node/images.ts";
import { ended, examplePod, nodeExample } from "../support/node/podidentity.ts";
import { sendScript, verifyScript } from "../support/node/scripts.ts";
import { documentBlocks } from "../support/documentblocks.ts";
import { repositoryRoot } from "../support/results.ts";
import { until } from "../support/until.ts";

let collector: ClusterCollector | undefined;
after(() => collector?.stop());
const scenario = openClusterStage(import.meta.url, async ({ node }) => {
  collector = await ClusterCollector.start(node);
});

/** The records to publish, printed with the very command of the README. */
async function recordsToPublish(cluster: MailCluster): Promise<readonly string[]> {
  const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");
  const [, path = ""] = /get senderdomains --namespace mail example-com -o jsonpath='([^']+)'/.exec(readme) ?? [];
  const args = ["get", "senderdomains", "--namespace", mailNamespace, "example-com", "-o", `jsonpath=${path}`];
  return (await cluster.node.kubectl(args)).split("\n").filter((line) => line !== "");
}

scenario("helm install tells the next commands, and they are enough", async (cluster) => {
  const notes = await cluster.install(["replicas=2", `tracing.endpoint=${collectorEndpoint}`]);
  // The values name the namespace: it is there, and the chart has bound it. What is left is the first relay and domain.
  assert.doesNotMatch(notes, /kubectl create/);
  assert.match(notes, /^kubectl apply --filename - <<'END'\napiVersion: mailboat\.dev\/v1alpha1\nkind: MailRelay$/m);
  assert.match(notes, /kubectl get mailrelays,senderdomains --namespace mail/);
  await applyExamples(cluster);
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
    const records = await recordsToPublish(cluster);
    assert.equal(records.filter((line) => line.includes("._domainkey.example.com. ")).length, 2);
    await cluster.publish(records);

    const answer = await cluster.python<SendAnswer>(sendScript, messageTo("first"));
    assert.deepEqual({ ...answer, certificate: undefined }, { accepted: true, certificate: undefined });
    const message = await cluster.arrived("first");
    assert.match(message, /^Received: from .*relay\.example\.com/m);
    assert.deepEqual(await cluster.python<boolean[]>(verifyScript, { message }), [true, true]);
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

/** The page up to where it turns to people: a block of a manifest, and commands as they are printed. */
async function typePage({ node }: MailCluster): Promise<void> {
  const blocks = documentBlocks("docs/how-to/send-without-a-password.md");
  const ofPods = blocks.filter(({ heading }) => heading === blocks[0]?.heading);
  const env = {
    KUBECONFIG: node.kubeconfig,
    PATH: `${dirname(node.plan.programs.kubectl)}:${process.env["PATH"] ?? ""}`,
  };
  for (const { language, text } of ofPods) {
    const patch = ["patch", "mailrelay", "outbound", "--namespace", mailNamespace, "--type=merge", "--patch", text];
    if (language === "yaml") await node.kubectl(patch);
    else {
      const { code, stdout, stderr } = await node.run(["sh", "-e", "-c", `cd ${repositoryRoot}\n${text}`], { env });
      assert.equal(code, 0, `${text}${stdout}${stderr}`);
    }
  }
}

scenario(
  "pods send through the Service with nothing but their projected tokens, as the page says; a pod of another account is refused",
  async (cluster) => {
    const { node } = cluster;
    const relayPods = await cluster.podIdentities();
    await node.tagImage(debianImage, "docker.io/library/python:3-slim");
    await typePage(cluster);
    await ended(cluster, "checkout", "Succeeded");
    const message = await cluster.arrived("Hello from Python");
    assert.deepEqual(await cluster.python<boolean[]>(verifyScript, { message }), [true, true]);

    const [forNode, python] = ["checkout-node", ["python3", "/app/send.py"]] as const;
    const image = `${mailboatRepository}:v1`;
    const metadata = { name: forNode, namespace: mailNamespace };
    const program = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "send.mjs": nodeExample() } };
    const stranger = { name: "stranger", namespace: mailNamespace };
    await node.apply(program, { apiVersion: "v1", kind: "ServiceAccount", metadata: stranger });
    await node.apply(
      examplePod({ name: forNode, account: "checkout", program: forNode, image, command: ["node", "/app/send.mjs"] }),
      examplePod({ ...stranger, account: "stranger", program: "checkout", image: debianImage, command: python }),
    );
    await ended(cluster, forNode, "Succeeded");
    await cluster.arrived("Hello from Node");
    assert.match(await ended(cluster, "stranger", "Failed"), /SMTP\w+: .*550/);
    assert.deepEqual(await cluster.podIdentities(), relayPods);
  },
);

scenario("a changed SenderDomain is served by all pods within ten seconds", async (cluster) => {
  const hosts = ["outbound-0", "outbound-1"].map(podHost);
  const ask = async (host: string): Promise<SendAnswer> =>
    cluster.python<SendAnswer>(sendScript, { ...messageTo("changed"), host, port: 2587 });
  for (const host of hosts) assert.equal((await ask(host)).accepted, true, host);
  const startedAt = performance.now();
  await cluster.patch("senderdomain", "example-com", { localParts: ["only-this"] });
  for (const host of hosts) {
    await until(`${host} refuses the sender`, async () =>
      /SMTPSenderRefused\(55\d/.test((await ask(host)).error ?? ""),
    );
  }
  const seconds = (performance.now() - startedAt) / 1000;
  assert.ok(seconds < 10, `${seconds.toFixed(1)} s`);
  await cluster.patch("senderdomain", "example-com", { localParts: ["*"] });
});

scenario("the collector has the operator's trace of that change, down to the Secret that pods load", async () => {
  const isChange = ({ name, attributes }: PrintedSpan): boolean =>
    name === "operator.reconcile" && attributes["mailboat.object.kind"] === "SenderDomain";
  const writesOf = (root: PrintedSpan): readonly string[] =>
    (collector?.spans() ?? [])
      .filter(({ parentSpanId, traceId }) => parentSpanId === root.spanId && traceId === root.traceId)
      .map(({ name, attributes }) => `${name} ${attributes["mailboat.object.kind"]}`);
  // Once when it was made, once narrowed, once widened again; of the Secret's data nothing is told.
  await until("three traces", () => {
    const changes = (collector?.spans() ?? []).filter(isChange);
    return changes.filter((root) => writesOf(root).includes("kube.patch Secret")).length >= 2 && changes.length >= 3;
  });
  const told = JSON.stringify((collector?.spans() ?? []).filter(({ name }) => /^(?:operator|kube)\./.test(name)));
  for (const secret of ["only-this", "privateKey", login.password]) assert.ok(!told.includes(secret), secret);
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

/**
 * Two MailRelays in a row on a real node: a pod submits to the inner one, which submits to the outer one by the name of its
 * Service over TLS that it verifies, and that one delivers to a real Postfix. The collector has one trace for a message
 * that arrives, and for one that nobody takes also its bounce, as the golden trees below say.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { parseAllDocuments } from "yaml";
import { ClusterCollector, collectorEndpoint, type PrintedSpan } from "../support/node/clustercollector.ts";
import { openClusterStage } from "../support/node/clusterstage.ts";
import { mailNamespace, messageTo, type MailCluster, type SendAnswer } from "../support/node/mailcluster.ts";
import { sendScript } from "../support/node/scripts.ts";
import { repositoryRoot } from "../support/results.ts";
import { until } from "../support/until.ts";

let collector: ClusterCollector | undefined;
after(() => collector?.stop());
const scenario = openClusterStage(import.meta.url, async (cluster) => {
  collector = await ClusterCollector.start(cluster.node);
  await cluster.publish(["nobody.example.net. 1 IN MX 0 ."]);
});

const arrived = `
smtp.receive accepted
  mail.spool
    mail.deliver delivered
      smtp.send delivered outer.mail.svc
        smtp.receive accepted
          mail.spool
            mail.deliver delivered
              mail.sign
              smtp.send delivered mx.example.net`;

const bounced = `
smtp.receive accepted
  mail.spool
    mail.deliver delivered
      smtp.send delivered outer.mail.svc
        smtp.receive accepted
          mail.spool
            mail.deliver failed`;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly delivery?: object; readonly tracing?: object };
}

/** The example as it stands, but for where the outer relay sends and who collects the traces. */
function manifestsOf(file: string): readonly object[] {
  const text = readFileSync(join(repositoryRoot, "examples/two-hops", file), "utf8");
  return parseAllDocuments(text).map((document) => {
    const manifest = document.toJS() as Manifest;
    if (manifest.kind !== "MailRelay") return manifest;
    const { name } = manifest.metadata;
    const tracing = { ...manifest.spec?.tracing, endpoint: collectorEndpoint, samplingRatio: "1.0" };
    const delivery = name === "outer" ? { ...manifest.spec?.delivery, smarthosts: [] } : manifest.spec?.delivery;
    return { ...manifest, spec: { ...manifest.spec, delivery, tracing } };
  });
}

async function send(cluster: MailCluster, subject: string, to: string): Promise<void> {
  const host = `inner.${mailNamespace}.svc.cluster.local`;
  const question = { ...messageTo(subject), host, username: "app", password: "app-password", to: [to] };
  const answer = await cluster.python<SendAnswer>(sendScript, question);
  assert.equal(answer.accepted, true, answer.error);
}

/** A span with what is below it: name, outcome and, for what was sent, to whom. */
function treeOf(span: PrintedSpan, all: readonly PrintedSpan[], depth = 0): string {
  const words = [span.name, span.attributes["mailboat.outcome"], span.attributes["server.address"]];
  const children = all.filter((each) => each.parentSpanId === span.spanId);
  const order = ["mail.sign", "smtp.send"];
  const sorted = children.toSorted((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
  const line = `\n${"  ".repeat(depth)}${words.filter((word) => word !== undefined).join(" ")}`;
  return line + sorted.map((child) => treeOf(child, all, depth + 1)).join("");
}

function rootsOf(domain: string): readonly PrintedSpan[] {
  const spans = collector?.spans() ?? [];
  const traces = new Set(
    spans
      .filter((span) => span.attributes["mailboat.recipient.domains"]?.includes(domain) === true)
      .map(({ traceId }) => traceId),
  );
  return spans.filter((span) => traces.has(span.traceId) && span.parentSpanId === "");
}

scenario("two relays of the example become ready, one trusting the other", async (cluster) => {
  await cluster.install([]);
  await cluster.node.apply(...manifestsOf("2-outer.yaml"));
  await cluster.untilCondition("mailrelay", "outer", { type: "Ready", withinMs: 90_000 });
  await cluster.node.apply(...manifestsOf("1-inner.yaml"));
  await cluster.untilCondition("mailrelay", "inner", { type: "Ready", withinMs: 90_000 });
  for (const name of ["example-com-inner", "example-com-outer"])
    await cluster.untilCondition("senderdomain", name, { type: "Ready" });
});

scenario("a message that arrives is one trace through both", async (cluster) => {
  await send(cluster, "through two", "someone@example.net");
  await cluster.arrived("through two");
  await until("the whole tree", () =>
    rootsOf("example.net").some((root) => treeOf(root, collector?.spans() ?? []) === arrived),
  ).catch(() =>
    assert.equal(
      rootsOf("example.net")
        .map((root) => treeOf(root, collector?.spans() ?? []))
        .join("\n"),
      arrived,
    ),
  );
});

scenario("a message that nobody takes is a trace through both, and a bounce that is linked to it", async (cluster) => {
  await send(cluster, "to nobody", "someone@nobody.example.net");
  const trees = (): readonly string[] =>
    rootsOf("nobody.example.net").map((root) => treeOf(root, collector?.spans() ?? []));
  await until("the tree", () => trees().includes(bounced)).catch(() => assert.equal(trees().join("\n"), bounced));
  const spans = collector?.spans() ?? [];
  const failed = spans.find((span) => span.name === "mail.deliver" && span.attributes["mailboat.outcome"] === "failed");
  const bounce = await until("the bounce", () =>
    (collector?.spans() ?? []).find(
      (span) => span.name === "mail.bounce" && span.links.includes(failed?.spanId ?? "none"),
    ),
  );
  assert.notEqual(bounce.traceId, failed?.traceId);
  assert.equal(bounce.parentSpanId, "");
});

/**
 * Promise 4, the operator's part: a change is one trace whose children are the writes that the API server's audit log
 * shows; looking again without a change exports nothing. Received by a real OpenTelemetry collector.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { makePrivateKey } from "../../operator/dkim/makekey.ts";
import type { AuditEntry } from "../support/controlplane/controlplane.ts";
import { FaultProxy } from "../support/controlplane/faultproxy.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { startCollector } from "../support/tracing/collector.ts";
import { lackingCollector } from "../support/tracing/program.ts";
import type { CollectedSpan } from "../support/tracing/sink.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane() || lackingCollector();
let stage: OperatorStage;

before(
  async () => {
    if (skip === false) stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const exported = "mailboat_telemetry_spans_exported_total";
const dropped = "mailboat_telemetry_spans_dropped_total";

/** `verb kind/namespace/name code`, as both sides can say it. */
function writeOf({ verb, resource, subresource, namespace, name, code }: AuditEntry): string {
  const what = subresource === "" ? verb : subresource;
  return `${what} ${resource}/${namespace}/${name} ${code}`;
}

const plurals: Readonly<Record<string, string>> = {
  MailRelay: "mailrelays",
  SenderDomain: "senderdomains",
  Secret: "secrets",
  StatefulSet: "statefulsets",
  Service: "services",
  ServiceAccount: "serviceaccounts",
  NetworkPolicy: "networkpolicies",
  PodDisruptionBudget: "poddisruptionbudgets",
};

function spanOf({ name, attributes }: CollectedSpan): string {
  // Server-side apply is a patch to the server.
  const verb = name.replace("kube.", "").replace("apply", "patch");
  const kind = String(attributes["mailboat.object.kind"]);
  const place = `${String(attributes["k8s.namespace.name"])}/${String(attributes["mailboat.object.name"])}`;
  return `${verb} ${plurals[kind] ?? kind}/${place} ${String(attributes["http.response.status_code"])}`;
}

/** In the same trace, and within the time of their parent. */
function childrenOf(root: CollectedSpan, spans: readonly CollectedSpan[]): readonly CollectedSpan[] {
  const below = spans.filter(({ parentSpanId }) => parentSpanId === root.spanId);
  for (const { traceId, startTimeUnixNano, endTimeUnixNano } of below) {
    assert.equal(traceId, root.traceId);
    assert.ok(startTimeUnixNano >= root.startTimeUnixNano && endTimeUnixNano <= root.endTimeUnixNano);
  }
  return below;
}

/** Whether the parent of every span has arrived: it ends after its children, and may come in a later batch. */
function areWhole(spans: readonly CollectedSpan[]): boolean {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  return spans.every(({ parentSpanId }) => parentSpanId === "" || ids.has(parentSpanId));
}

/** Events are written beside the work. */
function writesSince(from: number): readonly string[] {
  return stage
    .writes(from)
    .filter(({ resource }) => resource !== "events")
    .map(writeOf)
    .toSorted();
}

async function untilLookedAgain(operator: OperatorProgram): Promise<void> {
  const looks = (kind: string): Promise<number> =>
    operator.figure("mailboat_operator_reconcile_seconds_count", { kind, result: "success" });
  const [relays, domains] = [await looks("MailRelay"), await looks("SenderDomain")];
  await until("two full resyncs", async () => {
    return (await looks("MailRelay")) >= relays + 2 && (await looks("SenderDomain")) >= domains + 2;
  });
}

test("a change is one trace with the writes of the audit log, a resync none", { skip, timeout: 200_000 }, async (t) => {
  const { endpoint, sink } = await startCollector(t, makeResultsDirectory(import.meta.url, "collector"));
  const env = { RESYNC_MS: "1000", OTEL_EXPORTER_OTLP_ENDPOINT: endpoint };
  const operator = stage.operator({ identity: "operator-0", env });
  await operator.leading();
  assert.equal(await operator.figure(dropped), 0);
  const namespace = stage.makeNamespace();
  const privateKey = await makePrivateKey("Ed25519");
  const spec = { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } };
  const [relay, domain] = [
    { namespace, name: "outbound" },
    { namespace, name: "example-com" },
  ];
  const beginning = stage.plane.audit().length;
  stage.apply(
    relayManifest(relay),
    secretManifest({ namespace, name: "key", values: { privateKey } }),
    domainManifest({ ...domain, spec }),
  );
  await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "True" });
  const settled = await stage.untilQuiet();
  const children = (): readonly CollectedSpan[] => sink.spans.filter(({ name }) => name.startsWith("kube."));
  const all = writesSince(beginning);
  await sink.waitUntil("span for each write so far", () => children().length >= all.length && areWhole(sink.spans));
  assert.deepEqual(children().map(spanOf).toSorted(), all);

  // Nothing changes: nothing is written and nothing told.
  const then = [sink.spans.length, await operator.figure(exported)];
  await untilLookedAgain(operator);
  assert.deepEqual(writesSince(settled), []);
  assert.deepEqual([sink.spans.length, await operator.figure(exported)], then);

  stage.apply(domainManifest({ ...domain, spec: { ...spec, localParts: ["billing"] } }));
  await until("the change in a Secret of the relay", async () =>
    Promise.resolve(writesSince(settled).some((line) => line.includes(" secrets/")) || undefined),
  );
  await stage.untilQuiet();
  const written = writesSince(settled);
  const fresh = (): readonly CollectedSpan[] => sink.spans.slice(then[0]);
  await sink.waitUntil("span for each write of the change", () => {
    return fresh().filter(({ parentSpanId }) => parentSpanId !== "").length >= written.length && areWhole(sink.spans);
  });
  // The domain's reconcile writes what pods load and its status; that of its relay counts the new revision in status.
  const roots = fresh().filter(({ parentSpanId }) => parentSpanId === "");
  const kinds = roots.map(({ name, attributes }) => `${name} ${String(attributes["mailboat.object.kind"])}`);
  assert.deepEqual(
    new Set(kinds.toSorted()),
    new Set(["operator.reconcile MailRelay", "operator.reconcile SenderDomain"]),
  );
  const below = roots.flatMap((root) => childrenOf(root, fresh()));
  assert.deepEqual(below.map(spanOf).toSorted(), written);
  const root = roots.find(({ attributes }) => attributes["mailboat.object.kind"] === "SenderDomain");
  assert.ok(root !== undefined);
  assert.deepEqual(root.attributes, {
    "mailboat.object.kind": "SenderDomain",
    "mailboat.object.name": "example-com",
    "k8s.namespace.name": namespace,
    "mailboat.outcome": "success",
    "mailboat.writes": childrenOf(root, fresh()).length,
  });
  assert.equal(root.resource["service.name"], "mailboat-operator");
  assert.equal(root.resource["service.instance.id"], "operator-0");
  t.diagnostic(`the trace of a change: ${written.join(", ")}`);

  const told = JSON.stringify(sink.spans, (_key, value: unknown) => (typeof value === "bigint" ? `${value}` : value));
  for (const secret of [privateKey, privateKey.split("\n")[1] ?? "", "privateKey", "billing"]) {
    assert.ok(secret.length > 0 && !told.includes(secret), secret);
  }
  assert.equal(await operator.figure(dropped), 0);
  assert.equal(await operator.stop(), 0);
});

test("a reconcile that fails is told whatever the ratio, without the server's words", { skip }, async (t) => {
  const { endpoint, sink } = await startCollector(t, makeResultsDirectory(import.meta.url, "failures"));
  const proxy = await FaultProxy.start(stage.plane);
  t.after(() => proxy.close());
  const namespace = stage.makeNamespace();
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: "0" };
  const operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy), env });
  await operator.leading();
  proxy.rules.push({
    matches: ({ method, path }) => method === "PATCH" && path.includes("/services/"),
    fault: { kind: "answer", code: 500, body: "out of order" },
  });
  stage.apply(relayManifest({ namespace, name: "outbound" }));
  await sink.waitUntil("failed reconcile", () => sink.spans.some(({ parentSpanId }) => parentSpanId === ""));
  const root = sink.spans.find(({ parentSpanId }) => parentSpanId === "");
  assert.equal(root?.status.code, 2);
  assert.equal(root.status.message, "");
  assert.equal(root.attributes["mailboat.outcome"], "failure");
  assert.equal(root.attributes["error.type"], "ServerError");
  const failed = sink.spans.filter(({ parentSpanId, status }) => parentSpanId === root.spanId && status.code === 2);
  assert.deepEqual(
    failed.map(({ name, attributes }) => [name, attributes["mailboat.object.kind"], attributes["error.type"]]),
    [["kube.apply", "Service", "500"]],
  );
  assert.equal(await operator.stop(), 0);
});

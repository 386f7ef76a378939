/**
 * A look that ends in an error each time (here: an admission webhook that nobody answers for, which a server takes for an error
 * of its own) is told by condition, event and metric, leaves what runs as it is, and heals by itself.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { relayManifest, domainManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { freePort } from "../support/ports.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;
let operator: OperatorProgram;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    operator = stage.operator();
    await operator.leading();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

test("a relay and a domain that cannot be reconciled say so, and are well again", { skip }, async (t) => {
  const namespace = stage.makeNamespace();
  const [relay, domain] = [
    { namespace, name: "outbound" },
    { namespace, name: "example-com" },
  ];
  const pods = await startPods(stage.client);
  t.after(() => pods.stop());
  stage.apply(relayManifest(relay), domainManifest({ ...domain, spec: { dns: { spf: {} } } }));
  await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True", withinMs: 30_000 });
  await stage.untilCondition("SenderDomain", domain, { type: "Ready", status: "True", withinMs: 30_000 });
  const { records, pods: seen } = statusOf(await stage.read("SenderDomain", domain));
  assert.deepEqual([records?.length, seen], [1, undefined]);

  const webhook = await deadWebhook(namespace);
  stage.apply(webhook);
  t.after(() => stage.plane.kubectl(["delete", "validatingwebhookconfiguration", "dead", "--ignore-not-found"]));
  await untilRefused(namespace);
  stage.apply(
    relayManifest({ ...relay, spec: { service: { annotations: { changed: "yes" } } } }),
    domainManifest({ ...domain, spec: { dns: { spf: {} }, localParts: ["changed"] } }),
  );
  for (const [kind, place] of [
    ["MailRelay", relay],
    ["SenderDomain", domain],
  ] as const) {
    const awaited = { type: "Ready", status: "Unknown", reason: "ReconcileFailing", withinMs: 60_000 };
    const ready = await stage.untilCondition(kind, place, awaited);
    assert.match(ready.message, /the last 5 looks ended in an error.*failed calling webhook/);
    await stage.untilCondition(kind, place, { type: "Reconciling", status: "True" });
    const failing = (): Promise<number> => operator.figure("mailboat_operator_failing_resources", { kind });
    assert.equal(await failing(), 1);
    await until(`an event of ${kind}`, () => eventReasons(namespace, place.name).includes("ReconcileFailing"));
  }
  // What only people read of a status is there still, and the status speaks of the spec that was judged last.
  const status = statusOf(await stage.read("SenderDomain", domain));
  assert.deepEqual([status.records, status.observedGeneration], [records, 1]);

  stage.plane.kubectl(["delete", "validatingwebhookconfiguration", "dead"]);
  await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True", withinMs: 90_000 });
  await stage.untilCondition("SenderDomain", domain, { type: "Ready", status: "True", withinMs: 90_000 });
  assert.equal(await operator.figure("mailboat_operator_failing_resources"), 0);
});

/** Nobody listens where it is said to be. */
async function deadWebhook(namespace: string): Promise<object> {
  const webhook = {
    name: "dead.webhook.test",
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    failurePolicy: "Fail",
    timeoutSeconds: 1,
    clientConfig: { url: `https://127.0.0.1:${await freePort()}/` },
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
    rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["services", "secrets"] }],
  };
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "dead" },
    webhooks: [webhook],
  };
}

async function untilRefused(namespace: string): Promise<void> {
  await until("a webhook that is asked", () => {
    try {
      const probe = ["create", "secret", "generic", "probe", "--dry-run=server"];
      stage.plane.kubectl([...probe, "--namespace", namespace]);
      return false;
    } catch {
      return true;
    }
  });
}

interface Status {
  readonly observedGeneration: number;
  readonly records: readonly unknown[] | undefined;
  readonly pods: unknown;
}

function statusOf(object: Readonly<Record<string, unknown>>): Status {
  const { observedGeneration, dnsRecords, pods } = object["status"] as Readonly<Record<string, unknown>>;
  return {
    observedGeneration: Number(observedGeneration),
    records: Array.isArray(dnsRecords) ? dnsRecords : undefined,
    pods,
  };
}

function eventReasons(namespace: string, name: string): string {
  const fields = ["--field-selector", `involvedObject.name=${name}`];
  return stage.plane.kubectl(["get", "events", "--namespace", namespace, ...fields, "--output=jsonpath={..reason}"]);
}

/**
 * A real API server refuses what the operator writes in words that are others each time: it is said at once, and then the
 * operator rests. Nor does a fight over an object take all that the operator and the server can do.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { startMirror } from "../support/controlplane/clients.ts";
import type { AuditEntry } from "../support/controlplane/controlplane.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";
import { startRefusingWebhook } from "../support/controlplane/webhook.ts";

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

/** What has just come, or is fought over, is looked at in a burst, which takes as long as the machine takes for it. */
async function untilBurstIsOver(count: () => Promise<number>, atMost: number): Promise<void> {
  const isOver = async (): Promise<boolean> => {
    const from = await count();
    await pause(2_000);
    return (await count()) - from <= atMost;
  };
  await until("the end of the burst", isOver, 60_000);
}

/** Looks at resources of the kind, and writes of their status, within some seconds once the burst is over. */
async function cost(kind: string, resource: string, forMs: number): Promise<readonly [looks: number, writes: number]> {
  const looks = (): Promise<number> => operator.figure("mailboat_operator_reconcile_seconds_count", { kind });
  await untilBurstIsOver(looks, 2);
  const [looked, from] = [await looks(), stage.plane.audit().length];
  await pause(forMs);
  const writes = stage.writes(from).filter((entry) => entry.resource === resource && entry.subresource === "status");
  return [(await looks()) - looked, writes.length];
}

/** Servers take some time to heed a new configuration. */
async function untilHeeded(object: readonly string[], namespace: string): Promise<void> {
  await until("a webhook that is asked", () => {
    try {
      stage.plane.kubectl(["create", ...object, "--dry-run=server", "--namespace", namespace]);
      return false;
    } catch {
      return true;
    }
  });
}

test("a Service that is refused with the id of each request", { skip }, async (t) => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const words = (uid: string): string => `services need the label cost-center (request ${uid})`;
  const webhook = await startRefusingWebhook({ resource: "services", group: "", namespace, words });
  t.after(webhook.close);
  stage.apply(webhook.configuration);
  t.after(() => stage.plane.kubectl(["delete", "validatingwebhookconfiguration", webhook.configuration.metadata.name]));
  await untilHeeded(["service", "clusterip", "probe", "--tcp=1"], namespace);
  stage.apply(relayManifest(relay));
  const refused = await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "False" });
  assert.match(refused.message, /Kubernetes refuses Service outbound.*cost-center \(request [0-9a-f-]{36}\)/);
  await stage.untilCondition("MailRelay", relay, { type: "CertificateReady", status: "True" });
  const [looks, writes] = await cost("MailRelay", "mailrelays", 8_000);
  assert.ok(looks <= 8 && writes <= 1, `${looks} looks, ${writes} writes`);
  const said = await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "False" });
  assert.equal(said.message, refused.message, "the first words stay");
});

test("a domain's document that is refused in ever other words", { skip }, async (t) => {
  const namespace = stage.makeNamespace();
  const domain = { namespace, name: "example-com" };
  stage.apply(relayManifest({ namespace, name: "outbound" }));
  await stage.until("StatefulSet", { namespace, name: "outbound" }, { what: "is there", fits: () => true });
  const letters = (uid: string): string => uid.replaceAll(/\d/g, (digit) => "ghijklmnop"[Number(digit)] ?? "");
  const webhook = await startRefusingWebhook({ resource: "secrets", group: "", namespace, words: letters });
  t.after(webhook.close);
  stage.apply(webhook.configuration);
  t.after(() => stage.plane.kubectl(["delete", "validatingwebhookconfiguration", webhook.configuration.metadata.name]));
  await untilHeeded(["secret", "generic", "probe"], namespace);
  stage.apply(domainManifest(domain));
  await stage.untilCondition("SenderDomain", domain, { type: "Accepted", status: "False", reason: "Invalid" });
  const [looks, writes] = await cost("SenderDomain", "senderdomains", 8_000);
  assert.ok(looks <= 8 && writes <= 8, `${looks} looks, ${writes} writes`);
});

test("an object that somebody else changes back each time", { skip }, async (t) => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  stage.apply(relayManifest(relay));
  await stage.until("Service", relay, { what: "is there", fits: () => true });
  let undone = 0;
  const undo = async (): Promise<void> => {
    undone += 1;
    const body = { spec: { selector: { app: `other-${undone}` } } };
    await stage.client.mergePatch(resourceOf("Service"), relay, { body, fieldManager: "other" });
  };
  const opponent = startMirror({
    client: stage.client,
    resource: resourceOf("Service"),
    query: {},
    onChange: ({ key, after: now }) => {
      const isTheirs = JSON.stringify(now?.["spec"] ?? {}).includes("other-");
      if (key === `${namespace}/outbound` && !isTheirs) undo().catch(() => undefined);
    },
  });
  t.after(() => opponent.stop());
  await opponent.reflector.synced;
  await undo();
  const appliedSince = (from: number): readonly AuditEntry[] =>
    stage.writes(from).filter((entry) => entry.resource === "services" && entry.namespace === namespace);
  await until("the fight", () => undone > 4);
  await untilBurstIsOver(async () => Promise.resolve(appliedSince(0).length), 4);
  // What a fight costs for as long as it lasts.
  const from = stage.plane.audit().length;
  await pause(8_000);
  const applied = appliedSince(from);
  assert.ok(applied.length >= 1 && applied.length <= 16, `${applied.length} writes`);
});

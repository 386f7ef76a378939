/** What the API server is asked for when one of many domains of a relay changes does not depend on how many there are. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { AuditEntry } from "../support/controlplane/controlplane.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;
let pods: PodStandIn;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    pods = await startPods(stage.client);
    await stage.operator().leading();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await stage.close();
});

const nameOf = (index: number): string => `d${index}`;

/** A relay that serves so many domains, all of them loaded. */
async function openRelay(count: number): Promise<string> {
  const namespace = stage.makeNamespace();
  stage.apply(relayManifest({ namespace, name: "outbound" }));
  await stage.untilCondition(
    "MailRelay",
    { namespace, name: "outbound" },
    { type: "Ready", status: "True", withinMs: 30_000 },
  );
  await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const spec = { domain: `${nameOf(index)}.example.com` };
      const domain = domainManifest({ namespace, name: nameOf(index), spec });
      return stage.client.create(resourceOf("SenderDomain"), domain, "kubectl");
    }),
  );
  await until(
    `${count} domains to be ready`,
    async () => {
      const { items } = await stage.client.list(resourceOf("SenderDomain"), { namespace }, {});
      const isReady = (object: (typeof items)[number]): boolean =>
        JSON.stringify(object["status"] ?? {}).includes('"Programmed","status":"True"');
      return items.filter(isReady).length === count;
    },
    120_000,
  );
  return namespace;
}

/** `verb resource` of what the operator asks for, leases and events apart, and how often. */
async function asksOf(namespace: string, address: string): Promise<Readonly<Record<string, number>>> {
  const from = await stage.untilQuiet(3_000);
  const place = { namespace, name: nameOf(7) };
  const body = { spec: { localParts: [address] } };
  await stage.client.mergePatch(resourceOf("SenderDomain"), place, { body, fieldManager: "kubectl" });
  await stage.untilQuiet(3_000);
  const asks: Record<string, number> = {};
  for (const entry of stage.plane.audit().slice(from).filter(isAsk)) {
    const what = `${entry.verb} ${entry.resource}/${entry.subresource}`;
    asks[what] = (asks[what] ?? 0) + 1;
  }
  return asks;
}

/** Watches end by themselves now and then, and repeated events are written once a minute: neither is work for the change. */
function isAsk({ userAgent, resource, verb }: AuditEntry): boolean {
  return userAgent === "mailboat-operator" && !["leases", "events"].includes(resource) && verb !== "watch";
}

test(
  "one change among five hundred domains asks for as much as one among fifty",
  { skip, timeout: 280_000 },
  async () => {
    const few = await asksOf(await openRelay(50), "changed");
    const many = await asksOf(await openRelay(500), "changed");
    assert.deepEqual(Object.keys(many).toSorted(), Object.keys(few).toSorted());
    // Whether a pod has loaded it between two looks is chance, and may make one more of each; 450 domains must not.
    const more = Object.entries(many).filter(([what, count]) => count > (few[what] ?? 0) + 1);
    assert.deepEqual(more, [], JSON.stringify(few));
  },
);

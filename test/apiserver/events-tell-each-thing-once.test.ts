/** Events that `kubectl describe` shows: one for each thing that happened, none for what a new operator finds as it was. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventResource } from "../../operator/kube/events.ts";
import { makePrivateKey } from "../../operator/senderdomain/dkimkey.ts";
import { startPods } from "../support/controlplane/podstandin.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
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

/** `kind/name type reason` of every event of the namespace, and how often it was seen. */
async function eventsIn(namespace: string): Promise<readonly string[]> {
  const { items } = await stage.client.list(eventResource, { namespace }, {});
  return items
    .map((item) => {
      const { regarding, type, reason, series } = item as unknown as Told;
      return `${regarding.kind}/${regarding.name} ${type} ${reason}${series === undefined ? "" : ` x${series.count}`}`;
    })
    .toSorted();
}

interface Told {
  readonly regarding: { readonly kind: string; readonly name: string };
  readonly type: string;
  readonly reason: string;
  readonly series?: { readonly count: number };
}

test(
  "a mistake and its mending are two events, and a restarted operator adds none",
  { skip, timeout: 90_000 },
  async () => {
    const pods = await startPods(stage.client);
    const operator = stage.operator({ env: { RESYNC_MS: "1000" } });
    await operator.leading();
    const namespace = stage.makeNamespace();
    const domain = { namespace, name: "example-com" };
    const key = (privateKey: string): object => secretManifest({ namespace, name: "key", values: { privateKey } });
    stage.apply(
      relayManifest({ namespace, name: "outbound" }),
      domainManifest({ ...domain, spec: { dkim: { keys: [{ selector: "s1", secretName: "key" }] } } }),
    );
    await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "False" });
    stage.apply(key(await makePrivateKey("Ed25519")));
    await stage.untilCondition("SenderDomain", domain, { type: "Ready", status: "True" });
    await stage.untilCondition("MailRelay", { namespace, name: "outbound" }, { type: "Ready", status: "True" });

    const wanted = [
      "MailRelay/outbound Normal Issued",
      "MailRelay/outbound Normal PodsAvailable",
      "MailRelay/outbound Normal Programmed",
      "MailRelay/outbound Normal Ready",
      "SenderDomain/example-com Normal KeysReady",
      "SenderDomain/example-com Normal Programmed",
      "SenderDomain/example-com Normal Ready",
      "SenderDomain/example-com Warning SecretNotFound",
    ];
    const told = await until("all events", async () => {
      const events = await eventsIn(namespace);
      return events.length >= wanted.length ? events : undefined;
    });
    assert.deepEqual(told, wanted);
    const described = stage.plane.kubectl(["describe", "sd", "example-com", "--namespace", namespace]);
    assert.match(described, /Warning\s+SecretNotFound .*spec\.dkim\.keys\[0\]\.secretName/s);

    assert.equal(await operator.stop(), 0);
    const next = stage.operator({ env: { RESYNC_MS: "1000" } });
    await next.leading();
    const looks = (): Promise<number> =>
      next.figure("mailboat_operator_reconcile_seconds_count", { kind: "SenderDomain" });
    await until("several looks", async () => (await looks()) >= 3);
    assert.deepEqual(await eventsIn(namespace), wanted);
    await pods.stop();
  },
);

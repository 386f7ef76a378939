/** Promise 6: once everything is as it should be, looking again writes nothing to the API server but the Lease. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { domainQuota, senderQuota, tenantQuota } from "../../api/administration.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import { senderDomainStatus } from "../../api/senderdomain.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { startPods } from "../support/controlplane/podstandin.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { makePrivateKey } from "../../operator/dkim/makekey.ts";
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

/** Everything that an operator can be asked for and that settles without pods. */
async function applyAll(namespace: string): Promise<void> {
  const privateKey = await makePrivateKey("Ed25519");
  stage.apply(
    relayManifest({
      namespace,
      name: "outbound",
      spec: {
        replicas: 2,
        identities: { credentials: { secretSelector: { matchLabels: { login: "relay" } } } },
        pod: { resources: { requests: { cpu: "0.5", memory: "1024Mi" } } },
        service: {
          type: "LoadBalancer",
          loadBalancerSourceRanges: ["10.0.0.0/8"],
          // The server gives it a second family.
          ipFamilies: ["IPv4"],
          ipFamilyPolicy: "PreferDualStack",
        },
        spool: { storage: { size: 2_147_483_648 } },
        tenants: [{ name: "own", namespaces: { from: "Same" }, limits: { bytesPerHour: "5Gi" } }],
      },
    }),
    relayManifest({ namespace, name: "asleep", spec: { replicas: 0 } }),
    secretManifest({
      namespace,
      name: "login",
      type: "kubernetes.io/basic-auth",
      labels: { login: "relay" },
      values: { username: "app", password: "secret" },
    }),
    secretManifest({ namespace, name: "key", values: { privateKey } }),
    ...["a", "b", "c"].map((name, index) =>
      domainManifest({
        namespace,
        name,
        spec: {
          domain: `${name}.example.com`,
          limits: { messagesPerHour: 1000 },
          senders: [{ name: "networks", trustedNetworks: true, limits: { recipientsPerHour: 100 } }],
          dkim:
            index === 0
              ? { managed: { algorithms: ["RSA2048", "Ed25519"] } }
              : { keys: [{ selector: "s1", secretRef: { name: index === 1 ? "key" : "missing" } }] },
        },
      }),
    ),
  );
}

test("a full resync and a restarted operator write nothing but the Lease", { skip }, async () => {
  const operator = stage.operator({ env: { RESYNC_MS: "1000" } });
  await operator.leading();
  const namespace = stage.makeNamespace();
  await applyAll(namespace);
  await stage.untilCondition("SenderDomain", { namespace, name: "a" }, { type: "KeysReady", status: "True" });
  await untilMissed(namespace);
  await stage.until("StatefulSet", { namespace, name: "outbound" }, { what: "is there", fits: () => true });
  const settled = await stage.untilQuiet();

  await untilLookedAgain(operator);
  assert.deepEqual(stage.writes(settled), []);

  // A new operator knows of nothing that was written before.
  assert.equal(await operator.stop(), 0);
  const next = stage.operator({ env: { RESYNC_MS: "1000" } });
  await next.leading();
  await untilLookedAgain(next);
  assert.deepEqual(stage.writes(settled), []);
  assert.equal(await next.figure("mailboat_operator_reconcile_seconds_count", { result: "failure" }), 0);
  assert.equal(await next.stop(), 0);
});

test(
  "a relay whose pods run, and refuse what is over their quotas, is looked at again and again without a write",
  { skip },
  async (context) => {
    const quotas = (namespace: string): RelayReport["quotas"] =>
      [
        domainQuota("a.example.com"),
        senderQuota("b.example.com", "networks", "digest"),
        tenantQuota("own", namespace),
      ].map((key) => ({ key, share: 0.5, isPressed: true, isLimited: true }));
    const pods = await startPods(stage.client, { report: (pod) => ({ quotas: quotas(pod.namespace) }) });
    context.after(() => pods.stop());
    const operator = stage.operator({ env: { RESYNC_MS: "1000" } });
    await operator.leading(60_000);
    const namespace = stage.makeNamespace();
    await applyAll(namespace);
    await stage.untilCondition(
      "MailRelay",
      { namespace, name: "outbound" },
      { type: "Ready", status: "True", withinMs: 30_000 },
    );
    await stage.untilCondition(
      "SenderDomain",
      { namespace, name: "b" },
      { type: "Ready", status: "True", withinMs: 30_000 },
    );
    await untilMissed(namespace);
    const isLimited = ({ status }: RawObject): boolean =>
      senderDomainStatus.parse(status).limitedSenders?.join() === "networks";
    await stage.until(
      "SenderDomain",
      { namespace, name: "b" },
      { what: "says that a sender is limited", fits: isLimited },
    );
    const settled = await stage.untilQuiet(3_000);
    await untilLookedAgain(operator);
    assert.deepEqual(stage.writes(settled), []);
    assert.equal(await operator.stop(), 0);
  },
);

/** The key that is not there may yet arrive: that it is missing is written some seconds after the domain was made. */
async function untilMissed(namespace: string): Promise<void> {
  await stage.untilCondition(
    "SenderDomain",
    { namespace, name: "c" },
    { type: "Stalled", status: "True", withinMs: 30_000 },
  );
}

/** Two relays and three domains, each at least twice more. */
async function untilLookedAgain(operator: Awaited<ReturnType<OperatorStage["operator"]>>): Promise<void> {
  const looks = (kind: string): Promise<number> =>
    operator.figure("mailboat_operator_reconcile_seconds_count", { kind, result: "success" });
  const [relays, domains] = [await looks("MailRelay"), await looks("SenderDomain")];
  await until("two full resyncs", async () => {
    return (await looks("MailRelay")) >= relays + 4 && (await looks("SenderDomain")) >= domains + 6;
  });
}

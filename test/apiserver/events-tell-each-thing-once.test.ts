/** Events that `kubectl describe` shows: one for each thing that happened, none for what a new operator finds as it was. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventResource } from "../../operator/kube/events.ts";
import { makePrivateKey } from "../../operator/dkim/makekey.ts";
import { type Fault, FaultProxy, type Rule, type SeenRequest } from "../support/controlplane/faultproxy.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
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
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await stage.close();
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

test("a mistake and its mending are two events, and a restarted operator adds none", { skip }, async () => {
  const operator = stage.operator({ env: { RESYNC_MS: "1000" } });
  await operator.leading();
  const namespace = stage.makeNamespace();
  const [relay, domain] = [
    { namespace, name: "outbound" },
    { namespace, name: "example-com" },
  ];
  stage.apply(relayManifest(relay));
  await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True" });
  stage.apply(
    domainManifest({ ...domain, spec: { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } } }),
  );
  await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "False" });
  stage.apply(secretManifest({ namespace, name: "key", values: { privateKey: await makePrivateKey("Ed25519") } }));
  await stage.untilCondition("SenderDomain", domain, { type: "Ready", status: "True" });

  const told = await until("the last event", async () => {
    const events = await eventsIn(namespace);
    return events.some((event) => event.includes("/example-com Normal Programmed")) ? events : undefined;
  });
  // The missing key makes the domain's mail wait, and pods load that too: it may be programmed twice.
  assert.deepEqual(
    told.filter((event) => event.startsWith("SenderDomain/") && !event.includes(" Programmed")),
    ["SenderDomain/example-com Normal KeysReady", "SenderDomain/example-com Warning SecretNotFound"],
  );
  const ofRelay = told.filter((event) => event.startsWith("MailRelay/"));
  assert.ok(ofRelay.includes("MailRelay/outbound Normal Issued"));
  assert.deepEqual(
    ofRelay.filter((event) => !event.includes(" Normal ") || / x\d+$/.test(event)),
    [],
  );
  const described = stage.plane.kubectl(["describe", "sd", "example-com", "--namespace", namespace]);
  assert.match(described, /Warning\s+SecretNotFound .*spec\.dkim\.keys\[0\]\.secretRef/s);

  assert.equal(await operator.stop(), 0);
  const known = await eventsIn(namespace);
  const next = stage.operator({ env: { RESYNC_MS: "1000" } });
  await next.leading();
  const looks = (): Promise<number> =>
    next.figure("mailboat_operator_reconcile_seconds_count", { kind: "SenderDomain" });
  await until("several looks", async () => (await looks()) >= 3);
  assert.deepEqual(await eventsIn(namespace), known);
  assert.equal(await next.stop(), 0);
});

const isEvent = ({ method, path }: SeenRequest): boolean => method === "POST" && path.includes("/events");
const answer = (code: number, headers: Record<string, string> = {}): Fault => ({
  kind: "answer",
  code,
  body: "{}",
  headers,
});

/** What a server that is in trouble for a while does with events. */
const troubles: readonly (readonly [string, Fault, number])[] = [
  ["503", answer(503), 3],
  ["429 with Retry-After", answer(429, { "retry-after": "1" }), 1],
  ["no answer", { kind: "silence" }, 1],
  ["a connection that breaks", { kind: "cut" }, 2],
];

test("an event that meets a server in trouble is told all the same", { skip }, async (context) => {
  const proxy = await FaultProxy.start(stage.plane);
  context.after(() => proxy.close());
  const operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy) });
  await operator.leading();
  for (const [what, fault, times] of troubles) {
    await context.test(what, async () => {
      const namespace = stage.makeNamespace();
      const rule: Rule = { matches: (seen) => isEvent(seen) && seen.path.includes(namespace), fault, times };
      proxy.rules.push(rule);
      stage.apply(mistaken(namespace));
      await until("the event", async () => (await eventsIn(namespace)).includes(missing));
      assert.equal(rule.struck, times);
      assert.equal((await eventsIn(namespace)).filter((event) => event === missing).length, 1);
    });
  }
  await context.test("an operator that stops meanwhile", async () => {
    const namespace = stage.makeNamespace();
    const rule: Rule = {
      matches: (seen) => isEvent(seen) && seen.path.includes(namespace),
      fault: answer(503),
      times: 2,
    };
    proxy.rules.push(rule);
    stage.apply(mistaken(namespace));
    await until("the trouble", () => rule.struck === 1);
    assert.equal(await operator.stop(), 0);
    assert.ok((await eventsIn(namespace)).includes(missing));
  });
});

/** A domain without a relay and without its key: nothing but itself has events. */
function mistaken(namespace: string): object {
  const spec = { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } };
  return domainManifest({ namespace, name: "example-com", spec });
}

const missing = "SenderDomain/example-com Warning SecretNotFound";

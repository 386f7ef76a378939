/**
 * What Flux, Argo CD and Helm wait for: the real kstatus library over resources in every state, made by the operator on a real
 * API server, and over a status with each condition and reason that there is.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Condition, Judgement } from "../../api/condition.ts";
import { mailRelayConditionTexts } from "../../api/status/mailrelay.ts";
import { senderDomainConditionTexts } from "../../api/status/senderdomain.ts";
import type { Kind } from "../../operator/kube/objects.ts";
import type { RelayFinding } from "../../operator/mailrelay/assess.ts";
import { relayStatus } from "../../operator/mailrelay/programmed.ts";
import { type DomainFinding, domainConditions } from "../../operator/senderdomain/assess.ts";
import { summarizeDomain } from "../../operator/senderdomain/summary.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { type Named, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { kstatusOf, lackingKstatus, provideKstatus } from "../support/kstatus/program.ts";
import { domainWorld, now, podOf, relayOf } from "../support/operatorobjects.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane() === false ? lackingKstatus() : lackingControlPlane();
let stage: OperatorStage;

before(
  async () => {
    if (skip !== false) return;
    await provideKstatus();
    stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

type Expected = "Current" | "InProgress" | "Failed";

/** What is not as the rule has it: a condition that is good is Current, any other waits for a person. */
const exceptions: Readonly<Record<string, Expected>> = {
  "CertificateReady Pending": "InProgress",
  "Programmed WaitingForPods": "InProgress",
  "Programmed ConfigurationRefused": "InProgress",
  "Programmed NoReadyPods": "InProgress",
  "Programmed Paused": "InProgress",
  "Programmed Hibernating": "Current",
  "Available PodsUnavailable": "InProgress",
  "Available Hibernating": "Current",
  "Draining NotDraining": "Current",
  "Draining SpoolRetained": "Current",
  "Draining ScalingIn": "InProgress",
  "Draining HandingOver": "InProgress",
  "Draining SpoolNotEmpty": "InProgress",
  "Draining Deleting": "InProgress",
  "KeysReady Paused": "InProgress",
  "DNSVerified RecordsMissing": "Current",
  "DNSVerified RecordsDiffer": "Current",
  "DNSVerified LookupFailed": "Current",
  "DNSVerified NotChecked": "Current",
};

const summaries = new Set(["Ready", "Reconciling", "Stalled"]);

interface State {
  readonly judgement: Judgement;
  readonly expected: Expected;
}

function statesOf(texts: Readonly<Record<string, readonly { readonly reason: string; readonly when: string }[]>>) {
  return Object.entries(texts)
    .filter(([type]) => !summaries.has(type))
    .flatMap(([type, reasons]) =>
      reasons.map(({ reason, when }): State => {
        const status = (["True", "False", "Unknown"] as const).find((one) => when.startsWith(`${one}:`));
        assert.ok(status !== undefined, `${type} ${reason}: ${when}`);
        const expected = exceptions[`${type} ${reason}`] ?? (status === "True" ? "Current" : "Failed");
        return { judgement: { type, status, reason, message: "why" }, expected };
      }),
    );
}

test("a MailRelay with each of its conditions and reasons", { skip }, async () => {
  const states = statesOf(mailRelayConditionTexts);
  const good = ["Accepted", "ResolvedRefs", "CertificateReady", "Programmed", "Available"];
  const objects = states.map(({ judgement }) => {
    const others = good.filter((type) => type !== judgement.type);
    const findings = [judgement, ...others.map((type) => ({ type, status: "True", reason: type, message: "" }))];
    const relay = relayOf();
    const pods = judgement.reason === "Hibernating" ? [] : [podOf("outbound-0")];
    const figures = { at: now, queued: 0, late: 0, overHour: 0, overDay: 0 };
    const question = { revision: "r", desired: 1, retained: [], figures, unsent: undefined };
    const status = relayStatus({ ...question, world: { now, pods, relay }, findings: findings as RelayFinding[] });
    return { ...relay, status };
  });
  await verify(states, objects);
});

test("a SenderDomain with each of its conditions and reasons", { skip }, async () => {
  const states = statesOf(senderDomainConditionTexts);
  const good = ["Accepted", "KeysReady", "Programmed"];
  const world = domainWorld();
  const objects = states.map(({ judgement }) => {
    const findings = good.map((type) =>
      type === judgement.type ? judgement : { type, status: "True", reason: type, message: "" },
    ) as DomainFinding[];
    const told = judgement.type === "DNSVerified" ? [judgement as DomainFinding] : [];
    const conditions = domainConditions(world, [...findings, ...told, ...summarizeDomain(world, findings)]);
    return { ...world.domain, status: { observedGeneration: 1, conditions } };
  });
  await verify(states, objects);
});

async function verify(states: readonly State[], objects: readonly object[]): Promise<void> {
  const verdicts = await kstatusOf(objects);
  const told = (expected: (index: number) => unknown): readonly string[] =>
    states.map(({ judgement }, index) => `${judgement.type} ${judgement.reason}: ${String(expected(index))}`);
  assert.deepEqual(
    told((index) => verdicts[index]?.status),
    told((index) => states[index]?.expected),
  );
}

async function verdictOf(kind: Kind, place: Named) {
  const [verdict] = await kstatusOf([await stage.read(kind, place)]);
  assert.ok(verdict !== undefined);
  return verdict;
}

async function untilVerdict(kind: Kind, place: Named, status: string): Promise<string> {
  let last = "";
  const ask = async (): Promise<string | undefined> => {
    const verdict = await verdictOf(kind, place);
    last = `${verdict.status}: ${verdict.message}`;
    return verdict.status === status ? verdict.message : undefined;
  };
  return until(`${kind} ${place.name} is ${status}`, ask, 45_000).catch((error: unknown) => {
    throw new Error(`${String(error)}; the last verdict: ${last}`, { cause: error });
  });
}

test("resources that the operator makes what they are, from before it has looked to their end", { skip }, async (t) => {
  const namespace = stage.makeNamespace();
  const at = (name: string): Named => ({ namespace, name });
  stage.apply(
    relayManifest(at("outbound")),
    relayManifest({ ...at("asleep"), spec: { replicas: 0 } }),
    relayManifest({ ...at("broken"), spec: { tls: { secretRef: { name: "nowhere" } } } }),
    domainManifest({ ...at("served"), spec: { domain: "ok.example" } }),
    domainManifest({ ...at("sleeping"), spec: { domain: "ok.example", relayRef: { name: "asleep" } } }),
    domainManifest({ ...at("typo"), spec: { relayRef: { name: "outbuond" } } }),
    domainManifest({ ...at("taken"), spec: { domain: "ok.example" } }),
    domainManifest({
      ...at("keyless"),
      spec: {
        domain: "keyless.example",
        relayRef: { name: "asleep" },
        dkim: { keys: [{ selector: "s", secretRef: { name: "no" } }] },
      },
    }),
  );
  const all = [
    ...["outbound", "asleep", "broken"].map((name) => ["MailRelay", at(name)] as const),
    ...["served", "sleeping", "typo", "taken"].map((name) => ["SenderDomain", at(name)] as const),
  ];
  for (const [kind, place] of all) {
    const { status } = await verdictOf(kind, place);
    assert.equal(status, "InProgress", `${kind} ${place.name} before anybody has looked`);
    const [ready] = conditionsIn(await stage.read(kind, place));
    assert.equal(`${ready?.type} ${ready?.status} ${ready?.reason}`, "Ready Unknown Pending");
  }
  await stage.operator().leading();
  await stage.untilCondition("MailRelay", at("outbound"), { type: "Programmed", reason: "NoReadyPods" });
  assert.equal((await verdictOf("MailRelay", at("outbound"))).status, "InProgress");
  const pods = await startPods(stage.client);
  t.after(() => pods.stop());
  await untilVerdict("MailRelay", at("outbound"), "Current");
  await untilVerdict("MailRelay", at("asleep"), "Current");
  assert.match(await untilVerdict("MailRelay", at("broken"), "Failed"), /Secret nowhere does not exist/);
  await untilVerdict("SenderDomain", at("served"), "Current");
  await untilVerdict("SenderDomain", at("sleeping"), "Current");
  assert.match(await untilVerdict("SenderDomain", at("taken"), "Failed"), /ok\.example is held on this relay/);
  assert.match(await untilVerdict("SenderDomain", at("typo"), "Failed"), /MailRelay \S+\/outbuond does not exist/);
  await untilVerdict("SenderDomain", at("keyless"), "Failed");
  // What a person mends is under way again, and then done.
  stage.apply(domainManifest({ ...at("typo"), spec: { relayRef: { name: "asleep" } } }));
  await untilVerdict("SenderDomain", at("typo"), "Current");
  stage.plane.kubectl(["delete", "mailrelay", "outbound", "--namespace", namespace, "--wait=false"]);
  const end = async (): Promise<boolean> => {
    const object = await stage.get("MailRelay", at("outbound"));
    return object === undefined || (await kstatusOf([object]))[0]?.status === "Terminating";
  };
  await until("a relay that ends", end);
});

function conditionsIn(object: Readonly<Record<string, unknown>>): readonly Condition[] {
  const status = object["status"] as { readonly conditions?: readonly Condition[] } | undefined;
  return status?.conditions ?? [];
}

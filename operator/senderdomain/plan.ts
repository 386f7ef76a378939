/** The whole intention for one SenderDomain: the document its relay gets, keys to make, what to say. Pure. */
import { managedByLabel, senderDomainLabel } from "../../api/labels.ts";
import { type Condition, timestamp } from "../../api/condition.ts";
import { convertHint } from "../../api/former/hint.ts";
import type { SenderDomainStatus } from "../../api/senderdomain.ts";
import type { Misfit, Secret } from "../kube/objects.ts";
import { textDigest } from "../kube/shard.ts";
import type { Action, Plan } from "../work/actions.ts";
import { ownerOf } from "../owned/owner.ts";
import { transitionEvents } from "../work/transitions.ts";
import { domainDataKey, renderShard, shardOf } from "../binding/shards.ts";
import {
  domainConditions,
  type DomainFinding,
  finding,
  hasDocument,
  judgeAccepted,
  judgeDns,
  judgeKeys,
  judgeProgrammed,
  type Judged,
  managedField,
  relayField,
} from "./assess.ts";
import { dkimRecord, dmarcRecord, spfRecord, zoneLine } from "../dns/records.ts";
import { renderFor, type Rendering } from "./document.ts";
import { limitedOf, limitEvents } from "./limited.ts";
import { keyFacts, keysToAdopt, keysToMake, type ManagedKeyIntent } from "./keys.ts";
import { reasonOf } from "../references/problem.ts";
import { rejectionText } from "../work/rejection.ts";
import { summarizeDomain, untilArrived } from "./summary.ts";
import type { DomainWorld, KeyFacts } from "./world.ts";

export interface DomainPlan extends Plan {
  /** SHA-256 of the document, where every ready pod has loaded it. */
  readonly loaded: string | undefined;
}

const unheard: ReadonlySet<string> = new Set(["SecretsForbidden", "ConfigMapsForbidden", "RelayFull"]);
/** How often is looked for what nothing tells of. */
const unheardMs = 60_000;
/** Pods that come are heard of once they have loaded what there is; that they are there and do not is said after this. */
const podsMs = 300_000;

/** Why a domain is not served as its spec says while the pods keep what they have of it. */
const keeping: ReadonlySet<string> = new Set(["RelayInvalid", "NamespacesForbidden"]);

export function planDomain(world: DomainWorld): DomainPlan {
  const { domain, relay } = world;
  const keys = keyFacts(world, world.previous);
  const isPaused = relay?.spec.paused === true;
  const accepted = judgeAccepted(world);
  const rendered = renderFor(world, keys);
  const { text } = rendered;
  // What stands in the way of being served at all comes first.
  const served = accepted.status === "True" ? (obstacleTo(world, rendered) ?? accepted) : accepted;
  const isServed = accepted.status === "True" && relay !== undefined && rendered.room === undefined;
  const records = dnsRecords(world, keys);
  const programmed = judgeProgrammed(world, isServed || keeping.has(accepted.reason) ? text : undefined);
  const findings: readonly DomainFinding[] = [served, judgeKeys(world, keys), programmed];
  const all = [...findings, judgeDns(records.length), ...summarizeDomain(world, findings)];
  const conditions = [...domainConditions(world, all)];
  const mayWrite = isServed && text !== undefined && !hasDocument(world, text) && !isPaused;
  const status: SenderDomainStatus = {
    observedGeneration: domain.metadata.generation ?? 0,
    conditions,
    dkim: { keys: dkimKeys(world, keys) },
    ...limitedOf(world),
    dnsRecords: [...records],
  };
  return {
    actions: [
      ...(isPaused
        ? []
        : [...keysToMake(world).map((intent) => making(domain, intent)), ...keysToAdopt(world).map(adopting)]),
      ...(mayWrite ? [documentFor(world, relay, text)] : []),
      { kind: "status", of: "SenderDomain", metadata: domain.metadata, status },
      ...domainEvents(domain, conditions),
      ...limitEvents(domain, status),
    ],
    requeueAfterMs: soonest(untilArrived(world, findings) ?? lookAgainMs(world, all), world.credentials.ends?.nextMs),
    loaded: programmed.status === "True" && text !== undefined ? textDigest(text) : undefined,
  };
}

function making(domain: DomainWorld["domain"], { algorithm, name }: ManagedKeyIntent): Action {
  const secret: Secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      namespace: domain.metadata.namespace,
      labels: { [managedByLabel]: "mailboat-operator", [senderDomainLabel]: domain.metadata.name },
      ownerReferences: [ownerOf(domain)],
    },
    type: "Opaque",
    data: {},
  };
  return { kind: "makeKey", secret, algorithm, field: managedField };
}

function adopting(secret: Secret): Action {
  return { kind: "adopt", secret, field: managedField };
}

/**
 * What is said of a SenderDomain whose stored spec cannot be read. Nothing is done for it: its relay keeps the document that
 * the pods have, and no other domain takes its place.
 */
export function planMisfitDomain(domain: Misfit<"SenderDomain">, now: number): DomainPlan {
  const { faults } = domain;
  const until = "the relay goes on with the last valid spec until this is corrected";
  const message = `${faults.join("; ")}; ${until}${convertHint(faults)}`;
  const accepted = finding("Accepted", "False", "Invalid", message);
  const conditions = domainConditions({ domain, now }, [accepted, ...summarizeDomain(undefined, [accepted])]);
  const observedGeneration = domain.metadata.generation ?? 0;
  const status = { ...domain.status, observedGeneration, conditions: [...conditions] };
  const { metadata } = domain;
  return {
    actions: [
      { kind: "status", of: "SenderDomain", metadata, status, field: "spec", mayBeRefused: true },
      ...domainEvents(domain, conditions),
    ],
    requeueAfterMs: undefined,
    loaded: undefined,
  };
}

function domainEvents(
  { metadata: { namespace, name }, status }: Judged["domain"],
  conditions: readonly Condition[],
): readonly Action[] {
  const events = transitionEvents({
    regarding: { kind: "SenderDomain", namespace, name },
    before: status?.conditions ?? [],
    after: conditions,
    ignored: new Set(["DNSVerified", "Reconciling", "Stalled"]),
    summary: "Ready",
    underWay: new Set(["NoReadyPods", "Hibernating"]),
    passing: { reasons: new Set(["WaitingForPods", "Progressing"]), untold: new Set(["Ready"]) },
    warnings: new Set(["SendersExpiring"]),
  });
  return events.map((event) => ({ kind: "event", event }));
}

/** Why a domain that the relay would serve is not served as its spec says. */
function obstacleTo(world: DomainWorld, { text, readings, room }: Rendering): DomainFinding | undefined {
  const blocked = readings.problems[0];
  if (blocked !== undefined) return finding("Accepted", "False", reasonOf(blocked), blocked.message);
  if (room !== undefined) return finding("Accepted", "False", room.reason, room.message);
  const refused = world.rejections.filter((one) => one.field === relayField);
  if (refused.length === 0 || text === undefined || hasDocument(world, text)) return undefined;
  return finding("Accepted", "False", "Invalid", refused.map(rejectionText).join("; "));
}

/** Nothing tells that a right to a single Secret was given, that a shard has room again, or that a quota was raised. */
function lookAgainMs(world: DomainWorld, findings: readonly DomainFinding[]): number | undefined {
  if (world.rejections.length > 0 || findings.some(({ reason }) => unheard.has(reason))) return unheardMs;
  return findings.some(({ reason }) => reason === "NoReadyPods") ? podsMs : undefined;
}

function soonest(...pauses: readonly (number | undefined)[]): number | undefined {
  const known = pauses.filter((pause) => pause !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** One data key of one shard. */
function documentFor(world: DomainWorld, relay: NonNullable<DomainWorld["relay"]>, text: string): Action {
  const { domain } = world.domain.spec;
  const secret = renderShard(relay, shardOf(domain));
  return { kind: "merge", secret, changes: { [domainDataKey(domain)]: text }, field: relayField };
}

/** Each says since when; what it was before is in the status of the last look. */
function dkimKeys({ domain, now }: DomainWorld, { usable }: KeyFacts): NonNullable<SenderDomainStatus["dkim"]>["keys"] {
  return usable.map(({ selector, algorithm: kind }) => {
    const algorithm = kind === "rsa" ? "RSA" : "Ed25519";
    const before = domain.status?.dkim?.keys?.find((key) => key.selector === selector && key.algorithm === algorithm);
    return { selector, algorithm, state: "Active", since: before?.since ?? timestamp(now) };
  });
}

function dnsRecords(world: DomainWorld, keys: KeyFacts): NonNullable<SenderDomainStatus["dnsRecords"]> {
  const { domain, dns } = world.domain.spec;
  const records = keys.usable.map((key) => dkimRecord(domain, key));
  if (dns?.spf !== undefined) records.push(spfRecord(domain, dns.spf));
  if (dns?.dmarc !== undefined) records.push(dmarcRecord(domain, dns.dmarc));
  return records.map((record) => ({ ...record, state: "Unknown", zoneLine: zoneLine(record) }));
}

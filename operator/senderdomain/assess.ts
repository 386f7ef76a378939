/** Judges one SenderDomain: each check gives one condition. Pure; mistakes are findings that name the field and what to do. */
import { type Condition, type Judgement, setCondition } from "../../api/condition.ts";
import type { SenderDomainConditionType, SenderDomainReason } from "../../api/status/senderdomain.ts";
import { nameOf, hides } from "../kube/kube.ts";
import { textDigest } from "../kube/shard.ts";
import { isOlder, judgeConsent } from "../binding/consent.ts";
import { namespacesGrant } from "../installation/rights.ts";
import { forbiddenProblem } from "../references/problem.ts";
import { rejectionText } from "../work/rejection.ts";
import { domainDataKey, shardOf, shardSecretName } from "../binding/shards.ts";
import { keysToMake } from "./keys.ts";
import { judgeSenders } from "./senders.ts";
import type { DomainWorld, KeyFacts } from "./world.ts";

/** The fields that what is written for a domain comes from, as rejections name them. */
export const managedField = "spec.dkim.managed";
export const relayField = "spec.relayRef";

export interface DomainFinding extends Judgement {
  readonly type: SenderDomainConditionType;
  readonly reason: SenderDomainReason;
}

export function finding(
  type: SenderDomainConditionType,
  status: DomainFinding["status"],
  ...[reason, message]: readonly [SenderDomainReason, string]
): DomainFinding {
  return { type, status, reason, message };
}

export function judgeAccepted(world: DomainWorld): DomainFinding {
  const { domain, relay, misfit } = world;
  if (misfit !== undefined) {
    const message =
      `spec.relayRef: MailRelay ${nameOf(misfit.metadata)} cannot be read (${misfit.faults[0]}): ` +
      `its pods go on with what they have of this domain until its owner corrects it`;
    return finding("Accepted", "False", "RelayInvalid", message);
  }
  if (relay === undefined) return judgeAbsentRelay(world);
  const consent = judgeConsent({ relay, domain, namespaceLabels: world.namespaceLabels });
  if (consent.kind === "refused") return finding("Accepted", "False", consent.reason, consent.message);
  if (consent.kind === "unknown") {
    const message =
      `spec.relayRef: MailRelay ${nameOf(relay.metadata)} selects namespaces by label, and pods keep what they have of ` +
      `this domain: ${namespacesGrant(world.installation)}`;
    return finding("Accepted", "False", "NamespacesForbidden", message);
  }
  const holder = holderOf(world);
  if (holder !== domain) {
    const message =
      `spec.domain: ${domain.spec.domain} is held on this relay by the older SenderDomain ${nameOf(holder.metadata)}: ` +
      `delete one of the two`;
    return finding("Accepted", "False", "DomainConflict", message);
  }
  if (world.unseenHolder !== undefined) return judgeUnseenHolder(world, relay, world.unseenHolder);
  if (world.isRelayForbidden) {
    const { namespace } = relay.metadata;
    const { message } = forbiddenProblem({ field: "spec.relayRef", namespace, installation: world.installation });
    return finding("Accepted", "False", "SecretsForbidden", message);
  }
  const unreadable = world.credentials.problems.find((problem) => problem.kind === "forbidden");
  if (unreadable !== undefined) return finding("Accepted", "False", "SecretsForbidden", unreadable.message);
  const { troubles, ending, unused, canAnybodySend } = judgeSenders(world);
  const remarks = [...troubles, ...ending, ...unused];
  const message = `MailRelay ${nameOf(relay.metadata)} serves the domain`;
  if (remarks.length === 0) return finding("Accepted", "True", "Accepted", message);
  const known = ending.length === 0 ? "NotActedOnYet" : "SendersExpiring";
  const reason = troubles.length === 0 ? known : "SendersIncomplete";
  return finding("Accepted", "True", canAnybodySend ? reason : "NoSenders", remarks.join("; "));
}

function judgeAbsentRelay({ domain: { metadata, spec }, relaySight }: DomainWorld): DomainFinding {
  const { name, namespace = metadata.namespace } = spec.relayRef;
  const relay = nameOf({ namespace, name });
  if (!hides(relaySight, "MailRelay")) {
    const message = `spec.relayRef: MailRelay ${relay} does not exist: create it or correct the reference`;
    return finding("Accepted", "False", "RelayNotFound", message);
  }
  const message =
    `spec.relayRef: MailRelay ${relay} is in a namespace that this operator does not watch or may not read, and pods ` +
    `keep what they have of this domain: whoever runs it can add ${namespace} to watchNamespaces`;
  return finding("Accepted", "False", "RelayNotSeen", message);
}

function judgeUnseenHolder(
  { domain: { spec } }: DomainWorld,
  { metadata }: NonNullable<DomainWorld["relay"]>,
  namespace: string,
): DomainFinding {
  const shard = nameOf({ ...metadata, name: shardSecretName(metadata.name, shardOf(spec.domain)) });
  const message =
    `spec.domain: ${spec.domain} is held on this relay by a SenderDomain of namespace ${namespace}, which this operator does ` +
    `not see: delete one of the two; if that one is gone, take data key ${domainDataKey(spec.domain)} out of Secret ${shard}`;
  return finding("Accepted", "False", "DomainConflict", message);
}

/** Of all that bring the domain to this relay, the one that has it. */
function holderOf({ domain, rivals }: DomainWorld): DomainWorld["domain"] {
  return rivals.reduce((oldest, rival) => (isOlder(rival, oldest) ? rival : oldest), domain);
}

export function judgeKeys(world: DomainWorld, keys: KeyFacts): DomainFinding {
  if (world.domain.spec.dkim === undefined) {
    return finding("KeysReady", "True", "NotSigned", "spec.dkim is absent: mail goes unsigned");
  }
  const refused = world.rejections.filter((one) => one.field === managedField && keysToMake(world).length > 0);
  if (refused.length > 0) {
    return finding("KeysReady", "False", "SecretInvalid", refused.map(rejectionText).join("; "));
  }
  const first = keys.problems[0];
  if (first !== undefined) {
    const isForbidden = keys.problems.some((problem) => problem.kind === "forbidden");
    const reason = isForbidden ? "SecretsForbidden" : first.kind === "missing" ? "SecretNotFound" : "SecretInvalid";
    return finding("KeysReady", "False", reason, keys.problems.map((problem) => problem.message).join("; "));
  }
  if (keysToMake(world).length > 0 && world.relay?.spec.paused === true) {
    return finding("KeysReady", "Unknown", "Paused", `the keys are made when ${pauseOf(world.relay)} is false again`);
  }
  if (keys.usable.length === 0) {
    return finding("KeysReady", "Unknown", "SecretNotFound", "the keys are being made");
  }
  const selectors = keys.usable.map((key) => key.selector).join(", ");
  return finding("KeysReady", "True", "KeysReady", `mail is signed with ${selectors}`);
}

/** `text` is the domain's document as it should be in the pods; undefined while it has none. */
export function judgeProgrammed(world: DomainWorld, text: string | undefined): DomainFinding {
  const pods = (world.relay ?? world.misfit)?.status?.pods ?? [];
  const ready = pods.filter((pod) => pod.ready);
  const isWritten = text !== undefined && hasDocument(world, text);
  // What is not written yet is written with this look, and none comes after it: no pod is there that could load it.
  const isDone = isWritten || (text !== undefined && world.relay?.spec.paused !== true);
  if (ready.length === 0 && world.relay?.spec.replicas === 0 && isDone) {
    const message = `MailRelay ${nameOf(world.relay.metadata)} hibernates: its pods load the domain when they come back`;
    return finding("Programmed", "False", "Hibernating", message);
  }
  if (ready.length === 0) return finding("Programmed", "False", "NoReadyPods", "the relay has no ready pod yet");
  // Pods that are on their way to a newer revision have not lost the document that they had.
  const hasStayed = isWritten && world.loaded === textDigest(text);
  const named = world.mounted?.shards[shardOf(world.domain.spec.domain)];
  const isNamed = named !== undefined && named === world.shard?.digest;
  const hasLoaded = ready.every((pod) => pod.revision === world.mounted?.revision);
  if (hasStayed || (isWritten && isNamed && hasLoaded)) {
    return finding("Programmed", "True", "Programmed", "every ready pod has loaded the domain");
  }
  if (world.relay?.spec.paused === true) {
    const message = `the pods keep what they have of the domain until ${pauseOf(world.relay)} is false again`;
    return finding("Programmed", "False", "Paused", message);
  }
  return finding("Programmed", "False", "WaitingForPods", "the pods have not loaded the domain yet");
}

function pauseOf({ metadata }: NonNullable<DomainWorld["relay"]>): string {
  return `spec.paused of MailRelay ${nameOf(metadata)}`;
}

/** Whether the shard holds exactly this document of the domain. */
export function hasDocument({ domain, shard }: DomainWorld, text: string): boolean {
  return shard?.documents.get(domainDataKey(domain.spec.domain)) === textDigest(text);
}

/** DNS does not hold mail back: a test or a new domain works before its records are published. */
export function judgeDns(records: number): DomainFinding {
  const message = records === 0 ? "there is nothing to publish" : "status.dnsRecords lists what to publish";
  return finding("DNSVerified", "Unknown", "NotChecked", `DNS has not been asked: ${message}`);
}

export interface Judged {
  readonly domain: Pick<DomainWorld["domain"], "metadata" | "status">;
  readonly now: number;
}

/** A condition that none of the findings speaks of stays, with the generation that it was judged for. */
export function domainConditions({ domain, now }: Judged, findings: readonly DomainFinding[]): readonly Condition[] {
  const observedGeneration = domain.metadata.generation ?? 0;
  return findings.reduce<readonly Condition[]>(
    (list, entry) => setCondition(list, { ...entry, observedGeneration }, now),
    domain.status?.conditions ?? [],
  );
}

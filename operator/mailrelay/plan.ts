/**
 * The whole intention for one MailRelay: what to apply, what to take away, what to say. Pure: same world, same plan.
 * What cannot be rendered leaves the last good objects as they are; status says why.
 */
import { timestamp } from "../../api/condition.ts";
import { drainFinalizer, servingLabel } from "../../api/labels.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { lostContests } from "../binding/rivals.ts";
import { renderShard } from "../binding/shards.ts";
import type { KubeEvent, Reference } from "../kube/kube.ts";
import type { AppliedObject, Secret } from "../kube/objects.ts";
import type { Figures, Recommendation } from "../pods/facts.ts";
import { areCurrent, decideFigures, saidFigures } from "../pods/figures.ts";
import { decideNudges, type Intended, type Nudge } from "../pods/nudge.ts";
import { decideOrders } from "../pods/orders.ts";
import { shownFingerprint } from "../trust/clientleaf.ts";
import { decideInternal, decideTrust, type TrustDecision } from "../trust/trust.ts";
import { type Action, actionsOf, type Plan } from "../work/actions.ts";
import { ownerOf } from "../owned/owner.ts";
import { transitionEvents } from "../work/transitions.ts";
import { assessRelay, isBlind, type RelayFinding, whyUnsent } from "./assess.ts";
import { type DocumentReading, givenVersion, mountedDocument, relayDocumentOf } from "./document.ts";
import { renderConfiguration } from "./objects/configuration.ts";
import { renderDisruptionBudget } from "./objects/disruptionbudget.ts";
import { renderIssuance } from "./objects/issuance.ts";
import { renderNetworkPolicy } from "./objects/networkpolicy.ts";
import { renderPodMonitor } from "./objects/podmonitor.ts";
import { addressesOf, renderClientService, renderHeadlessService } from "./objects/service.ts";
import { renderServiceAccount } from "./objects/serviceaccount.ts";
import { leasing, limitedNow } from "./leasing.ts";
import { judgeAvailable, judgeProgrammed, relayStatus } from "./programmed.ts";
import { judgeRollout, type Rollout, setToApply } from "./rollout/rollout.ts";
import { drainEvents, judgeDraining } from "./scale/draining.ts";
import { decideScale, hasDrainFinalizer, type ScaleDecision } from "./scale/scale.ts";
import { type ClaimMark, planVolumes } from "./scale/volumes.ts";
import { isKept, keptDocuments, unheldDocuments } from "./unseen/documents.ts";
import type { RelayWorld } from "./world.ts";

export interface RelayPlan extends Plan {
  readonly recommendations: readonly Recommendation[];
  readonly figures: Figures;
  readonly areFiguresCurrent: boolean;
  readonly requeueAfterMs: number;
  /** Undefined of a relay that is deleted, and of one of which nothing is written: their pods stay as they are. */
  readonly rollout: Rollout | undefined;
}

/** Until pods report what was rendered they are asked again soon, and less often the longer it takes. */
const waitingMs = 200;
const longestWaitMs = 5_000;
/** What waits for spools to empty, or for somebody else, is looked at less often. */
const slowMs = 2_000;
const orderedMs = 500;
export const settledMs = 10_000;

export function planRelay(world: RelayWorld): RelayPlan {
  const { relay, now } = world;
  const reading = relayDocumentOf(world);
  const scale = decideScale(world);
  const rollout = isHeld(world) || scale.deletion !== undefined ? undefined : judgeRollout(world);
  const trust = decideTrust(world);
  const intended: Intended = {
    revision: reading.document?.revision,
    fingerprint: shownFingerprint(trust.mounted),
  };
  const nudging = decideNudges(world.pods, intended, now);
  const findings = judge({ world, reading, scale, rollout, intended });
  const { figures, areFiguresCurrent } = figuresOf(world);
  const judged = relayStatus({
    world,
    findings,
    revision: intended.revision,
    documentVersion: givenVersion(relay.status, mountedDocument(world)),
    desired: scale.desired,
    retained: scale.retained,
    figures,
    unsent: whyUnsent(relay),
  });
  const addresses = addressesOf(world.service);
  const status: MailRelayStatus = {
    ...judged,
    ...(addresses.length === 0 ? {} : { addresses: [...addresses] }),
    // The pods have those that cannot be seen, too.
    attachedDomains: world.domains.size + keptDocuments(world).length,
    ...limitedNow(world),
  };
  const said = { recommendations: scale.recommendations, areFiguresCurrent, figures };
  const telling = relayTelling(relay, status);
  const endMs = world.credentials.ends?.nextMs ?? settledMs;
  const nudgedMs = nudging.againInMs ?? settledMs;
  const requeueAfterMs = Math.min(pause(world, findings), nudgedMs, endMs, readingPause(world));
  // Nothing of the kind keeps a relay from being deleted.
  if (rollout === undefined && scale.deletion === undefined)
    return { ...said, actions: telling, requeueAfterMs, rollout };
  const actions =
    rollout === undefined
      ? deletionActions(world, scale)
      : actionsFor({ world, reading, scale, rollout, trust, nudges: nudging.nudges });
  return {
    ...said,
    actions: [
      ...actions,
      ...telling,
      ...drained(world, scale, actions),
      ...(mayGo(world, scale) ? [finalize(relay, false)] : []),
    ],
    requeueAfterMs: Math.min(requeueAfterMs, orderPause(actions)),
    rollout,
  };
}

function figuresOf(world: RelayWorld): Pick<RelayPlan, "figures" | "areFiguresCurrent"> {
  const { relay, now, sight, figures: told } = world;
  // Of one that is deleted before its pods and volumes can be seen.
  if (sight.kind === "part") return { figures: told ?? saidFigures(relay.status, now), areFiguresCurrent: true };
  const asked = { ...world, said: relay.status };
  const figures = decideFigures({ ...asked, told });
  return { figures, areFiguresCurrent: areCurrent(figures, asked) };
}

/** Whether what runs stays as it is and status alone is written. */
function isHeld(world: RelayWorld): boolean {
  const { metadata, spec } = world.relay;
  return isBlind(world) || spec.paused || lostContests(metadata.name, world.contests).length > 0;
}

/** What is said of pods and volumes that go. */
function drained(world: RelayWorld, scale: ScaleDecision, actions: readonly Action[]): readonly Action[] {
  const removed = actionsOf("remove", actions).map(({ reference }) => reference);
  const claims = removed.filter(({ kind }) => kind === "PersistentVolumeClaim").map(({ name }) => name);
  return drainEvents(world, scale, claims).map(asAction);
}

/** Keys that are being read are there soon. */
function readingPause({ issuers: { cluster, oidc } }: RelayWorld): number {
  return [cluster, ...oidc.values()].some((fact) => fact?.isReading === true) ? orderedMs : settledMs;
}

/** What an order sets going is seen in the next report. */
function orderPause(actions: readonly Action[]): number {
  const orders = actionsOf("order", actions).flatMap((action) => action.orders);
  if (orders.length === 0) return settledMs;
  return orders.every(({ pod }) => pod.orderFailure === undefined) ? orderedMs : slowMs;
}

interface Considered {
  readonly world: RelayWorld;
  readonly reading: DocumentReading;
  readonly scale: ScaleDecision;
  readonly rollout: Rollout;
  readonly trust: TrustDecision;
}

function judge({
  world,
  reading,
  scale,
  rollout,
  intended,
}: Pick<Considered, "world" | "reading" | "scale"> & {
  readonly rollout: Rollout | undefined;
  readonly intended: Intended;
}): readonly RelayFinding[] {
  const { deletion } = scale;
  return [
    ...assessRelay(world, reading.problems, rollout),
    judgeProgrammed(world, { ...intended, replicas: scale.replicas }),
    judgeAvailable(world),
    judgeDraining(world, { scale, deadline: deletion === undefined ? undefined : timestamp(deletion.deadline) }),
  ];
}

/** Status, and the events of what changed in it. */
export function relayTelling(
  relay: Pick<RelayWorld["relay"], "metadata" | "status">,
  status: MailRelayStatus,
): readonly Action[] {
  const { metadata } = relay;
  return [{ kind: "status", of: "MailRelay", metadata, status }, ...relayEvents(relay, status).map(asAction)];
}

export function asAction(event: KubeEvent): Action {
  return { kind: "event", event };
}

export function relayEvents(
  { metadata, status: before }: Pick<RelayWorld["relay"], "metadata" | "status">,
  status: MailRelayStatus,
): readonly KubeEvent[] {
  return transitionEvents({
    regarding: { kind: "MailRelay", namespace: metadata.namespace, name: metadata.name },
    before: before?.conditions ?? [],
    after: status.conditions ?? [],
    ignored: new Set(["Reconciling", "Stalled"]),
    summary: "Ready",
    underWay: new Set(["Pending", "NoReadyPods", "WaitingForPods", "PodsUnavailable", "Hibernating"]),
    // A domain that changes is told as an event of its own.
    passing: {
      reasons: new Set(["WaitingForPods", "Progressing", "RolloutPending"]),
      untold: new Set(["Accepted", "Programmed", "Ready"]),
    },
    inverted: new Set(["Draining"]),
    progress: new Set(["HandingOver", "ScalingIn"]),
    warnings: new Set([
      "AnyDomainAllowed",
      "MailCaptured",
      "NamespacesForbidden",
      "Expiring",
      "Expired",
      "IssuerUnreadable",
      "StorageNotChanged",
      "DomainsNotSeen",
      "NotMonitored",
    ]),
  });
}

function pause(world: RelayWorld, findings: readonly RelayFinding[]): number {
  const has = (type: RelayFinding["type"], status: RelayFinding["status"]): boolean =>
    findings.some((entry) => entry.type === type && entry.status === status);
  if (has("Draining", "True")) return slowMs;
  if (has("Accepted", "False")) return settledMs;
  // Of pods that come and become ready a change tells.
  const isWaiting = world.relay.spec.replicas !== 0 && world.pods.some((pod) => pod.ready);
  if (!isWaiting || has("Programmed", "True")) return settledMs;
  const before = world.relay.status?.conditions?.find((condition) => condition.type === "Programmed");
  const sinceMs = before?.status === "False" ? world.now - Date.parse(before.lastTransitionTime) : 0;
  return Math.min(Math.max(waitingMs, sinceMs / 4), longestWaitMs);
}

/** The order is part of it: each line needs those above it. */
function actionsFor(considered: Considered & { readonly nudges: readonly Nudge[] }): readonly Action[] {
  const { world, scale, trust, nudges } = considered;
  const { namespace } = world.relay.metadata;
  const volumes = planVolumes({ world, replicas: scale.replicas, isDeleting: false });
  const removals = leftOverDocuments(world);
  return [
    // Without it a relay that is deleted would take its mail along: nothing is made before it is there.
    ...(hasDrainFinalizer(world) ? [] : [{ ...finalize(world.relay, true), isPrecondition: true } as const]),
    // Kubernetes takes no second owner that controls: before anything is applied to them.
    ...secretsToAdopt(world).map((secret) => ({ kind: "adopt", secret }) as const),
    ...trust.actions,
    ...removals,
    ...servingMarks(world, scale),
    ...volumes.marks.map((mark) => claimMark(world, mark)),
    ...objectsFor(considered, removals.length === 0).map((object) => ({ kind: "apply", object }) as const),
    ...volumes.grow.map(({ name, size }) => ({ kind: "grow", claim: { namespace, name }, size }) as const),
    ...nudges.map((nudge) => ({ kind: "nudge", namespace, ...nudge }) as const),
    ...ordering(world, scale),
    ...leasing(world),
    ...objectsToRemove(world),
    ...volumes.remove.map((name) => removal(world, "PersistentVolumeClaim", name)),
  ];
}

/** Of the relay's own that its spec asks for no longer. */
function objectsToRemove(world: RelayWorld): readonly Action[] {
  const { metadata, spec } = world.relay;
  return [
    ...(spec.tls.certManager === undefined && isOwn(world, world.issuance)
      ? [removal(world, "Certificate", metadata.name)]
      : []),
    ...(!spec.networkPolicy.enabled && isOwn(world, world.networkPolicy)
      ? [removal(world, "NetworkPolicy", metadata.name)]
      : []),
  ];
}

/** Pods do not believe an operator without an authority in force; one that is on its way is there with the next look. */
function ordering(world: RelayWorld, scale: ScaleDecision): readonly Action[] {
  const orders = decideOrders({ world, ...scale });
  const internal = decideInternal(world);
  if (orders.length === 0 || internal.kind === "change") return [];
  return [{ kind: "order", relay: world.relay.metadata, authority: internal.authority, orders }];
}

/** What stands around the pods comes first, the pods last. */
function objectsFor(
  { world, reading, scale, rollout, trust }: Considered,
  areShardsClean: boolean,
): readonly AppliedObject[] {
  const { relay, installation, kinds } = world;
  const { certManager } = relay.spec.tls;
  const certificate = trust.mounted;
  const objects: AppliedObject[] = [
    renderServiceAccount(relay),
    renderHeadlessService(relay),
    renderClientService(relay, world.service),
    ...(relay.spec.networkPolicy.enabled ? [renderNetworkPolicy(relay, installation.namespace)] : []),
    renderDisruptionBudget(relay),
  ];
  if (kinds.has("PodMonitor")) objects.push(renderPodMonitor(relay));
  if (certManager !== undefined && kinds.has("Certificate")) {
    objects.push(renderIssuance(relay, certManager));
  }
  if (certificate !== undefined && certificate !== world.certificate) objects.push(certificate);
  if (trust.peer !== undefined) objects.push(trust.peer);
  // Shards change first: a configuration that names digests of the past would be loaded and replaced at once.
  if (reading.document !== undefined && areShardsClean) objects.push(renderConfiguration(relay, reading.document));
  // Pods start with all that they mount; where it cannot be had, they take mail without it.
  const isPeerAwaited = trust.isPeerLater && world.rejections.length === 0;
  const isComplete = certificate !== undefined && reading.document !== undefined && !isPeerAwaited;
  if (isComplete || world.statefulSet !== undefined) objects.push(...setToApply(world, scale.replicas, rollout));
  return objects;
}

/**
 * Pods stop taking new clients, spools empty as far as they can, volumes that are not proven empty are labelled and stay.
 * Everything else is owned by the relay and goes with it.
 */
function deletionActions(world: RelayWorld, scale: ScaleDecision): readonly Action[] {
  if (!hasDrainFinalizer(world)) return [];
  const volumes = planVolumes({ world, replicas: scale.replicas, isDeleting: true });
  const internal = decideInternal(world);
  const isAwaited = scale.leaving.size > 0 && scale.deletion?.isDone !== true && !world.isOwnForbidden;
  return [
    ...servingMarks(world, scale),
    ...volumes.marks.map((mark) => claimMark(world, mark)),
    ...(world.statefulSet === undefined ? [] : setToApply(world, scale.replicas, judgeRollout(world))).map(
      (object) => ({ kind: "apply", object }) as const,
    ),
    ...ordering(world, scale),
    ...volumes.remove.map((name) => removal(world, "PersistentVolumeClaim", name)),
    // Who is to give orders has to be believed. A right to it that is missing ends a look: nothing else waits for that.
    ...(isAwaited && internal.kind === "change" ? [internal.action] : []),
  ];
}

/** Last of all: without the finalizer the relay is gone. */
function mayGo(world: RelayWorld, scale: ScaleDecision): boolean {
  return hasDrainFinalizer(world) && scale.deletion?.isDone === true;
}

export function finalize({ metadata }: Pick<RelayWorld["relay"], "metadata">, isPresent: boolean): Action<"finalize"> {
  const reference = { kind: "MailRelay", namespace: metadata.namespace, name: metadata.name } as const;
  return { kind: "finalize", reference, finalizer: drainFinalizer, isPresent };
}

/** The label comes off what will go, and comes back when it stays after all and takes mail again. */
function servingMarks(world: RelayWorld, scale: ScaleDecision): readonly Action[] {
  return world.pods
    .filter((pod) => pod.serving === scale.leaving.has(pod.name))
    .filter((pod) => pod.serving || pod.report?.drain === undefined)
    .map((pod) => ({
      kind: "mark",
      reference: referenceOf(world, "Pod", pod.name),
      change: { labels: { [servingLabel]: pod.serving ? undefined : "true" } },
      isPrecondition: true,
    }));
}

/** An old proof of emptiness that stays on a volume must not meet a pod that fills it. */
function claimMark(world: RelayWorld, { name, change }: ClaimMark): Action {
  const reference = referenceOf(world, "PersistentVolumeClaim", name);
  return { kind: "mark", reference, change, isPrecondition: true };
}

function removal(world: RelayWorld, kind: Reference["kind"], name: string): Action {
  return { kind: "remove", reference: referenceOf(world, kind, name) };
}

/** What is taken away is the relay's own: one of its name that somebody else made stays. */
function isOwn({ relay }: RelayWorld, object: Pick<AppliedObject, "metadata"> | undefined): boolean {
  return object?.metadata.ownerReferences?.some((owner) => owner.uid === relay.metadata.uid) === true;
}

function referenceOf(world: RelayWorld, kind: Reference["kind"], name: string): Reference {
  return { kind, namespace: world.relay.metadata.namespace, name };
}

/** A relay that was made anew finds what the one of its name before it owned, which Kubernetes would take away with that one. */
function isOfTheDead({ relay: { metadata } }: RelayWorld, { metadata: { ownerReferences = [] } }: Secret): boolean {
  const relays = ownerReferences.filter(({ kind, name }) => kind === "MailRelay" && name === metadata.name);
  return relays.length > 0 && relays.every(({ uid }) => uid !== metadata.uid);
}

/** With the relay as their owner, in place of one that is no more. */
function secretsToAdopt(world: RelayWorld): readonly Secret[] {
  const { certificate, peer, configuration } = world;
  return [certificate, peer, configuration]
    .filter((secret) => secret !== undefined)
    .filter((secret) => isOfTheDead(world, secret))
    .map((secret) => ({ ...secret, metadata: { ...secret.metadata, ownerReferences: [ownerOf(world.relay)] } }));
}

/** What no SenderDomain holds any more; of what cannot be seen to be held nothing is taken away. */
function leftOverDocuments(world: RelayWorld): readonly Action<"merge">[] {
  const keys = new Map<string, string[]>();
  for (const document of unheldDocuments(world)) {
    if (!isKept(world, document)) keys.set(document.shard, [...(keys.get(document.shard) ?? []), document.dataKey]);
  }
  return [...keys].map(([shard, gone]) => ({
    kind: "merge",
    secret: renderShard(world.relay, shard),
    changes: Object.fromEntries(gone.map((dataKey) => [dataKey, undefined])),
  }));
}

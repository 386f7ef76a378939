/**
 * The whole intention for one MailRelay: what to apply, what to take away, what to say. Pure: same world, same plan.
 * What cannot be rendered leaves the last good objects as they are; status says why.
 */
import { timestamp } from "../../api/condition.ts";
import { servingLabel } from "../../api/labels.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import type { KubeEvent, MetadataChange, Reference } from "../kube/kube.ts";
import type { AppliedObject, Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { assessRelay, isBlind, serves, type RelayFinding, whyUnsent } from "./assess.ts";
import { algorithmOf, readCertificate, reissueReason } from "./certificate.ts";
import { type DocumentReading, relayDocumentOf } from "./document.ts";
import { readingOf, renderCertificate, shownFingerprint } from "./objects/certificate.ts";
import { renderIssuance } from "./objects/issuance.ts";
import { renderConfiguration } from "./objects/configuration.ts";
import { lostContests } from "./rivals/contests.ts";
import { renderDisruptionBudget } from "./objects/disruptionbudget.ts";
import { clientNames, issuedSecretName } from "./objects/names.ts";
import { renderNetworkPolicy } from "./objects/networkpolicy.ts";
import { peerContent, renderPeer } from "./objects/peer.ts";
import { renderPodMonitor } from "./objects/podmonitor.ts";
import { renderShard } from "./objects/shard.ts";
import { addressesOf, renderClientService, renderHeadlessService } from "./objects/service.ts";
import { renderServiceAccount } from "./objects/serviceaccount.ts";
import { decideClientAuthority, leavesOf } from "./own/authority.ts";
import { decideAuthority, peerReissueReason } from "./peer/trust.ts";
import { judgeAvailable, judgeProgrammed, relayStatus } from "./programmed.ts";
import { drainEvents, judgeDraining } from "./scale/draining.ts";
import { areCurrent, decideFigures } from "./scale/figures.ts";
import { decideNudges, type Intended, type Nudge } from "./scale/nudge.ts";
import { decideOrders, type PodOrder } from "./scale/orders.ts";
import { judgeRollout, type Rollout, setToApply } from "./rollout/rollout.ts";
import { decideScale, hasDrainFinalizer, type ScaleDecision } from "./scale/scale.ts";
import { planVolumes } from "./scale/volumes.ts";
import { transitionEvents } from "./transition.ts";
import { isKept, unheldDocuments } from "./unseen/documents.ts";
import { type Figures, ownerOf, type Recommendation, type RelayWorld } from "./world.ts";

/** Data keys that a shard has and no SenderDomain holds. */
export interface ShardRemoval {
  readonly secret: Secret;
  readonly keys: readonly string[];
}

/** Labels and annotations of something that is not applied whole. */
export interface Mark {
  readonly reference: Reference;
  readonly change: MetadataChange;
}

/** What is to be done, in the order in which it is done. */
export interface RelayActions {
  /** `put` before anything else, `takeOff` after everything else. */
  readonly finalizer: "put" | "takeOff" | undefined;
  /** Names that a new certificate of our own authority must carry; undefined when none is needed. */
  readonly issueFor: readonly string[] | undefined;
  /** The pods need a new certificate to know each other and the operator by. */
  readonly issuesPeer: boolean;
  /** Secrets whose owner is to be the relay. */
  readonly adopt: readonly Secret[];
  readonly removals: readonly ShardRemoval[];
  readonly marks: readonly Mark[];
  readonly apply: readonly AppliedObject[];
  readonly grow: readonly { readonly name: string; readonly size: string }[];
  readonly nudges: readonly Nudge[];
  readonly orders: readonly PodOrder[];
  readonly remove: readonly Reference[];
}

export interface RelayPlan extends RelayActions {
  readonly recommendations: readonly Recommendation[];
  readonly figures: Figures;
  readonly areFiguresCurrent: boolean;
  readonly status: MailRelayStatus;
  readonly events: readonly KubeEvent[];
  readonly requeueAfterMs: number;
  /** Undefined while nothing is written, and of a relay that is deleted: its pods stay as they are. */
  readonly rollout: Rollout | undefined;
}

/** Until pods report what was rendered they are asked again soon, and less often the longer it takes. */
const waitingMs = 200;
const longestWaitMs = 5_000;
/** What waits for spools to empty, or for somebody else, is looked at less often. */
const slowMs = 2_000;
const orderedMs = 500;
export const settledMs = 10_000;

export const nothing: RelayActions = {
  finalizer: undefined,
  issueFor: undefined,
  issuesPeer: false,
  adopt: [],
  removals: [],
  marks: [],
  apply: [],
  grow: [],
  nudges: [],
  orders: [],
  remove: [],
};

export function planRelay(world: RelayWorld): RelayPlan {
  const { relay, now } = world;
  const reading = relayDocumentOf(world);
  const scale = decideScale(world);
  const rollout = judgeRollout(world);
  const intended: Intended = {
    revision: reading.document?.revision,
    fingerprint: shownFingerprint(certificateToMount(world)),
  };
  const nudging = decideNudges(world.pods, intended, now);
  const findings = judge({ world, reading, scale, rollout, intended });
  const figures = decideFigures({ now, pods: world.pods, retained: scale.retained, told: world.figures });
  const judged = relayStatus({
    world,
    findings,
    revision: intended.revision,
    documentVersion: reading.document?.version,
    desired: scale.desired,
    retained: scale.retained,
    figures,
    unsent: whyUnsent(relay),
  });
  const addresses = addressesOf(world.service);
  const status: MailRelayStatus = {
    ...judged,
    ...(addresses.length === 0 ? {} : { addresses: [...addresses] }),
    attachedDomains: world.domains.size,
  };
  const said = {
    recommendations: scale.recommendations,
    areFiguresCurrent: areCurrent(figures, { now, pods: world.pods, retained: scale.retained }),
    figures,
    status,
    events: relayEvents(relay, status),
    requeueAfterMs: Math.min(pause(world, findings), nudging.againInMs ?? settledMs),
  };
  // A pause keeps what runs as it is; nothing of the kind keeps a relay from being deleted.
  const isHeld = isBlind(world) || relay.spec.paused || lostContests(relay.metadata.name, world.contests).length > 0;
  if (isHeld && scale.deletion === undefined) return { ...nothing, ...said, rollout: undefined };
  const actions =
    scale.deletion === undefined
      ? actionsFor({ world, reading, scale, rollout, nudges: nudging.nudges })
      : deletionActions(world, scale);
  const removed = actions.remove.filter(({ kind }) => kind === "PersistentVolumeClaim").map(({ name }) => name);
  return {
    ...actions,
    ...said,
    rollout: scale.deletion === undefined ? rollout : undefined,
    events: [...said.events, ...drainEvents(world, scale, removed)],
    requeueAfterMs: Math.min(said.requeueAfterMs, orderPause(actions.orders)),
  };
}

/** What an order sets going is seen in the next report. */
function orderPause(orders: readonly PodOrder[]): number {
  if (orders.length === 0) return settledMs;
  return orders.every(({ pod }) => pod.orderFailure === undefined) ? orderedMs : slowMs;
}

interface Considered {
  readonly world: RelayWorld;
  readonly reading: DocumentReading;
  readonly scale: ScaleDecision;
  readonly rollout: Rollout;
}

function judge({
  world,
  reading,
  scale,
  rollout,
  intended,
}: Considered & { readonly intended: Intended }): readonly RelayFinding[] {
  const { deletion } = scale;
  return [
    ...assessRelay(world, reading.problems, rollout),
    judgeProgrammed(world, { ...intended, replicas: scale.replicas }),
    judgeAvailable(world),
    judgeDraining(world, { scale, deadline: deletion === undefined ? undefined : timestamp(deletion.deadline) }),
  ];
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
      "NamespacesForbidden",
      "Expiring",
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

function actionsFor(considered: Considered & { readonly nudges: readonly Nudge[] }): RelayActions {
  const { world, reading, scale, rollout } = considered;
  const volumes = planVolumes({ world, replicas: scale.replicas, isDeleting: false });
  const removals = leftOverDocuments(world);
  const { metadata, spec } = world.relay;
  return {
    finalizer: hasDrainFinalizer(world) ? undefined : "put",
    issueFor: certificateToIssue(world),
    issuesPeer: needsPeer(world),
    adopt: secretsToAdopt(world),
    removals,
    marks: [...servingMarks(world, scale), ...volumes.marks.map((mark) => claimMark(world, mark))],
    apply: objectsFor({ world, reading, scale, rollout }, removals.length === 0),
    grow: volumes.grow,
    nudges: considered.nudges,
    orders: decideOrders({ world, ...scale }),
    remove: [
      ...(spec.tls.certManager === undefined && isOwn(world, world.issuance)
        ? [referenceOf(world, "Certificate", metadata.name)]
        : []),
      ...(!spec.networkPolicy.enabled && isOwn(world, world.networkPolicy)
        ? [referenceOf(world, "NetworkPolicy", metadata.name)]
        : []),
      ...volumes.remove.map((name) => referenceOf(world, "PersistentVolumeClaim", name)),
    ],
  };
}

/** What stands around the pods comes first, the pods last. */
function objectsFor({ world, reading, scale, rollout }: Considered, areShardsClean: boolean): readonly AppliedObject[] {
  const { relay, place, kinds } = world;
  const { certManager } = relay.spec.tls;
  const certificate = certificateToMount(world);
  const objects: AppliedObject[] = [
    renderServiceAccount(relay),
    renderHeadlessService(relay),
    renderClientService(relay),
    ...(relay.spec.networkPolicy.enabled ? [renderNetworkPolicy(relay, place.namespace)] : []),
    renderDisruptionBudget(relay),
  ];
  if (kinds.has("PodMonitor")) objects.push(renderPodMonitor(relay));
  if (certManager !== undefined && kinds.has("Certificate")) {
    objects.push(renderIssuance(relay, certManager));
  }
  if (certificate !== undefined && certificate !== world.certificate) objects.push(certificate);
  if (world.peer !== undefined && !needsPeer(world)) objects.push(renderPeer(relay, peerContent(world.peer)));
  // Shards change first: a configuration that names digests of the past would be loaded and replaced at once.
  if (reading.document !== undefined && areShardsClean) objects.push(renderConfiguration(relay, reading.document));
  const isComplete = certificate !== undefined && reading.document !== undefined;
  if (isComplete || world.statefulSet !== undefined) objects.push(...setToApply(world, scale.replicas, rollout));
  return objects;
}

/**
 * Pods stop taking new clients, spools empty as far as they can, volumes that are not proven empty are labelled and stay.
 * Everything else is owned by the relay and goes with it.
 */
function deletionActions(world: RelayWorld, scale: ScaleDecision): RelayActions {
  if (!hasDrainFinalizer(world)) return nothing;
  const volumes = planVolumes({ world, replicas: scale.replicas, isDeleting: true });
  return {
    ...nothing,
    finalizer: scale.deletion?.isDone === true ? "takeOff" : undefined,
    marks: [...servingMarks(world, scale), ...volumes.marks.map((mark) => claimMark(world, mark))],
    apply: world.statefulSet === undefined ? [] : setToApply(world, scale.replicas, judgeRollout(world)),
    orders: decideOrders({ world, ...scale }),
    remove: volumes.remove.map((name) => referenceOf(world, "PersistentVolumeClaim", name)),
  };
}

/** The label comes off what will go, and comes back when it stays after all and takes mail again. */
function servingMarks(world: RelayWorld, scale: ScaleDecision): readonly Mark[] {
  return world.pods
    .filter((pod) => pod.serving === scale.leaving.has(pod.name))
    .filter((pod) => pod.serving || pod.report?.drain === undefined)
    .map((pod) => ({
      reference: referenceOf(world, "Pod", pod.name),
      change: { labels: { [servingLabel]: pod.serving ? undefined : "true" } },
    }));
}

function claimMark(world: RelayWorld, mark: { readonly name: string; readonly change: MetadataChange }): Mark {
  return { reference: referenceOf(world, "PersistentVolumeClaim", mark.name), change: mark.change };
}

/** What is taken away is the relay's own: one of its name that somebody else made stays. */
function isOwn({ relay }: RelayWorld, object: Pick<AppliedObject, "metadata"> | undefined): boolean {
  return object?.metadata.ownerReferences?.some((owner) => owner.uid === relay.metadata.uid) === true;
}

function referenceOf(world: RelayWorld, kind: Reference["kind"], name: string): Reference {
  return { kind, namespace: world.relay.metadata.namespace, name };
}

/**
 * The manifest's certificate when it is usable, otherwise what the pods mount already. One that has run out or is for other
 * names does not take the place of one that serves.
 */
function certificateToMount(world: RelayWorld): Secret | undefined {
  const { tls } = world.relay.spec;
  const source = tls.certManager === undefined ? tls.secretRef?.name : issuedSecretName(world.relay.metadata.name);
  if (source === undefined) return world.certificate;
  const given = world.secrets.get(source);
  const chain = secretText(given, "tls.crt");
  const privateKey = secretText(given, "tls.key");
  const reading = readCertificate(chain, privateKey);
  if (reading.kind !== "usable" || chain === undefined || privateKey === undefined) return world.certificate;
  const question = { hostname: world.relay.spec.hostname, now: world.now };
  if (!serves(reading, question) && serves(readingOf(world.certificate), question)) return world.certificate;
  return renderCertificate(world.relay, { chain, privateKey });
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

function certificateToIssue(world: RelayWorld): readonly string[] | undefined {
  const { tls, hostname } = world.relay.spec;
  if (tls.selfSigned === undefined) return undefined;
  const names = [
    ...new Set([
      hostname,
      ...clientNames(world.relay.metadata, world.place.clusterDomain),
      ...world.place.certificateNames,
      ...(tls.selfSigned.dnsNames ?? []),
    ]),
  ];
  const own = world.certificate;
  const decision = decideClientAuthority(world.authority, world.now);
  if (decision.kind !== "keep" || secretText(own, "ca.crt") !== decision.authority.bundle) return names;
  const wanted = leavesOf(tls.selfSigned.algorithms, decision.authority);
  const serve = (["tls", "rsa"] as const).every((pair) => {
    if (wanted[pair] === undefined) return secretText(own, `${pair}.crt`) === undefined;
    const reading = readingOf(own, pair);
    return (
      reissueReason({ reading, names, now: world.now }) === undefined &&
      algorithmOf(secretText(own, `${pair}.crt`) ?? "") === wanted[pair]
    );
  });
  return serve ? undefined : names;
}

function needsPeer({ relay, internalAuthority, peer, now }: RelayWorld): boolean {
  const decision = decideAuthority(internalAuthority, now);
  if (decision.kind !== "keep") return true;
  return peerReissueReason({ relay: relay.metadata, peer, authority: decision.authority, now }) !== undefined;
}

/** What no SenderDomain holds any more; of what cannot be seen to be held nothing is taken away. */
function leftOverDocuments(world: RelayWorld): readonly ShardRemoval[] {
  const keys = new Map<string, string[]>();
  for (const document of unheldDocuments(world)) {
    if (!isKept(world, document)) keys.set(document.shard, [...(keys.get(document.shard) ?? []), document.dataKey]);
  }
  return [...keys].map(([shard, gone]) => ({ secret: renderShard(world.relay, shard), keys: gone }));
}

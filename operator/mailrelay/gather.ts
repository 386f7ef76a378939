/** Reads the world of one MailRelay. Objects that are not there are absent from the value, never an error. */
import { administrationPortName } from "../../api/administration.ts";
import {
  emptySpoolAnnotation,
  managedByLabel,
  queuedAnnotation,
  relayLabel,
  retainedLabel,
  revisionAnnotation,
  servingLabel,
  templateAnnotation,
} from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import { ForbiddenError, keyOf, type Kube, nameOf, hides } from "../kube/kube.ts";
import type { OptionalKind, OwnerReference, PersistentVolumeClaim, Pod, Stored } from "../kube/objects.ts";
import type { Labels } from "../kube/selector.ts";
import type { ShardFact } from "../kube/shard.ts";
import { gatherIssuers } from "../issuers/gather.ts";
import type { IssuerSource } from "../issuers/source.ts";
import { gatherReferred, secretReader } from "../references/gather.ts";
import { readReferences } from "../references/readings.ts";
import { isOlder, judgeConsent } from "../binding/consent.ts";
import { begunOf } from "./rollout/rollout.ts";
import type { CredentialSource } from "../credentials/source.ts";
import { type Contest, rivalriesOf } from "../binding/rivals.ts";
import {
  authoritySecretName,
  certificateSecretName,
  configurationSecretName,
  internalAuthoritySecretName,
  ordinalOf,
  peerSecretName,
  spoolVolume,
} from "../owned/names.ts";
import type { GiveOrder } from "../pods/giveorder.ts";
import { relayReferences, relaySelections } from "./references.ts";
import type { ReadReport } from "../pods/reports.ts";
import type { RelayMemory } from "../work/memory.ts";
import type { Begun } from "../work/turns.ts";
import { unheldDocuments } from "./unseen/documents.ts";
import type { RelayWorld } from "./world.ts";
import type { CredentialFacts } from "../credentials/logins.ts";
import { isServedAt, type Installation } from "../installation/installation.ts";
import type { ClaimFact, PodFact } from "../pods/facts.ts";

export interface RelaySources {
  readonly kube: Kube;
  readonly credentials: CredentialSource;
  readonly issuers: IssuerSource;
  readonly readReport: ReadReport;
  readonly giveOrder: GiveOrder;
  readonly memory: RelayMemory;
  readonly installation: Installation;
  readonly now: () => number;
}

export async function gatherRelay(sources: RelaySources, relay: Stored<MailRelay>): Promise<RelayWorld> {
  const { kube, installation } = sources;
  const { namespace, name } = relay.metadata;
  const reader = secretReader(kube, namespace);
  const own = secretReader(kube, installation.namespace);
  const shards = await readShards(kube, { namespace, name });
  const domains = await gatherDomains(kube, relay);
  const world: Omit<RelayWorld, "issuers"> = {
    now: sources.now(),
    hasTurn: sources.memory.turns.has(nameOf(relay.metadata)),
    installation,
    relay,
    credentials: await gatherCredentials(sources, relay),
    ...(await gatherReferred(kube, reader, relayReferences(relay))),
    authority: await own.get(authoritySecretName),
    certificate: await reader.get(certificateSecretName(name)),
    internalAuthority: await own.get(internalAuthoritySecretName),
    peer: await reader.get(peerSecretName(name)),
    configuration: await reader.get(configurationSecretName(name)),
    statefulSet: await kube.get("StatefulSet", namespace, name),
    service: await kube.get("Service", namespace, name),
    networkPolicy: await kube.get("NetworkPolicy", namespace, name),
    shards,
    ...domains,
    unseen: await gatherUnseen(kube, { shards, domains: domains.domains }),
    sight: kube.sight(namespace),
    contests: await gatherContests(kube, relay),
    pods: await gatherPods(sources, relay),
    claims: await gatherClaims(sources, relay),
    ...(await gatherOptional(kube, relay)),
    forbidden: reader.forbidden,
    isOwnForbidden: own.forbidden.size > 0,
    areNamespacesHidden: (await kube.namespaceLabels(namespace)) === undefined,
    rejections: sources.memory.rejections.of(keyOf({ kind: "MailRelay", namespace, name })),
    figures: sources.memory.figures(nameOf(relay.metadata)),
    recommendations: sources.memory.recommendations(nameOf(relay.metadata)),
  };
  const { authorities } = readReferences(relayReferences(relay), world);
  const { identities } = relay.spec;
  // Last: the pods have said whether they wait for keys.
  const issuers = await gatherIssuers({ issuers: sources.issuers, identities, authorities, pods: world.pods });
  return { ...world, issuers };
}

async function gatherCredentials(sources: RelaySources, relay: Stored<MailRelay>): Promise<CredentialFacts> {
  const { namespace, name } = relay.metadata;
  return sources.credentials.select({
    kube: sources.kube,
    installation: sources.installation,
    asker: keyOf({ kind: "MailRelay", namespace, name }),
    relay: nameOf(relay.metadata),
    namespace,
    selectors: relaySelections(relay),
    now: sources.now(),
  });
}

/** Where Secrets may not be read at all, the reads by name have said so already. */
export async function readShards(
  kube: Kube,
  relay: { readonly namespace: string; readonly name: string },
): Promise<ReadonlyMap<string, ShardFact>> {
  try {
    return await kube.shards(relay);
  } catch (error) {
    if (error instanceof ForbiddenError) return new Map();
    throw error;
  }
}

async function gatherDomains(kube: Kube, relay: Stored<MailRelay>): Promise<Pick<RelayWorld, "domains" | "hasLimits">> {
  const domains = new Set<string>();
  let hasLimits = relay.spec.tenants.some(({ limits }) => limits !== undefined);
  for (const domain of await kube.list("SenderDomain", { relay: nameOf(relay.metadata) })) {
    const namespaceLabels = await kube.namespaceLabels(domain.metadata.namespace);
    if (judgeConsent({ relay, domain, namespaceLabels }).kind === "refused") continue;
    domains.add(domain.spec.domain);
    hasLimits ||= [domain.spec, ...domain.spec.senders].some(({ limits }) => limits !== undefined);
  }
  return { domains, hasLimits };
}

/** Most relays have no document that none of the domains holds, and nothing is asked then. */
async function gatherUnseen(
  kube: Kube,
  world: Pick<RelayWorld, "shards" | "domains">,
): Promise<ReadonlyMap<string, Labels | undefined>> {
  const unseen = new Map<string, Labels | undefined>();
  for (const namespace of new Set(unheldDocuments(world).map((document) => document.namespace))) {
    if (namespace !== undefined && hides(kube.sight(namespace), "SenderDomain")) {
      unseen.set(namespace, await kube.namespaceLabels(namespace));
    }
  }
  return unseen;
}

/** Those with MailRelays that exist, read or not: what was made for one whose spec cannot be read is still its own. */
async function gatherContests(kube: Kube, relay: Stored<MailRelay>): Promise<readonly Contest[]> {
  const { namespace, name } = relay.metadata;
  const contests: Contest[] = [];
  for (const rivalry of rivalriesOf(name)) {
    const { rival, kind } = rivalry;
    const other = (await kube.get("MailRelay", namespace, rival)) ?? (await kube.misfit("MailRelay", namespace, rival));
    if (other === undefined) continue;
    const object = await kube.get(kind, namespace, rivalry.name);
    const owner = object?.metadata.ownerReferences?.find((one) => one.kind === "MailRelay")?.name;
    contests.push({ ...rivalry, isRivalOlder: isOlder(other, relay), owner });
  }
  return contests;
}

type Named = Pick<Stored<MailRelay>, "metadata">;

export async function gatherPods(sources: RelaySources, relay: Named): Promise<readonly PodFact[]> {
  const { namespace, name } = relay.metadata;
  const pods = await sources.kube.list("Pod", { namespace, labels: { [relayLabel]: name } });
  // Anybody who may make pods can put our label on one: asked for what it reports, it would be believed.
  const own = pods.filter((pod) => pod.metadata.ownerReferences?.some((owner) => isItsSet(owner, name)));
  const read = await Promise.all(own.map((pod) => podFact(sources, pod)));
  return read.sort((left, right) => left.name.localeCompare(right.name, "en", { numeric: true }));
}

function isItsSet({ kind, name, controller }: OwnerReference, relayName: string): boolean {
  return kind === "StatefulSet" && name === relayName && controller;
}

async function podFact({ readReport, memory, now }: RelaySources, pod: Pod): Promise<PodFact> {
  const { name, labels, annotations } = pod.metadata;
  // Local mode gives its processes no uid: their names are never used twice at a time.
  const uid = pod.metadata.uid ?? nameOf(pod.metadata);
  const report = await readReport(pod);
  const template = annotations?.[templateAnnotation];
  const key = nameOf(pod.metadata);
  if (report !== undefined) memory.reported({ uid, key, template }, report, now());
  const port = pod.status.ports.find((candidate) => candidate.name === administrationPortName)?.containerPort;
  return {
    name,
    uid,
    ready: pod.status.ready,
    unreadySince: instantOf(pod.status.unreadySince),
    isGoing: pod.metadata.deletionTimestamp !== undefined,
    phase: pod.status.phase,
    hindrance: pod.status.hindrance,
    serving: labels?.[servingLabel] === "true",
    annotatedRevision: annotations?.[revisionAnnotation],
    annotatedAt: memory.annotatedAt(uid),
    acceptedPerSecond: memory.rate(uid),
    report,
    template,
    reads: memory.reads({ key, template }),
    administration: port === undefined ? undefined : { host: pod.status.podIP, port },
    ordered: memory.order(uid)?.digest,
    orderFailure: memory.order(uid)?.failure,
  };
}

function instantOf(time: string | undefined): number | undefined {
  const at = Date.parse(time ?? "");
  return Number.isNaN(at) ? undefined : at;
}

/** By name of the relay: what those that replace pods are at. A paused one does not count. */
export async function gatherRollouts({
  kube,
  installation,
  now,
}: Pick<RelaySources, "kube" | "installation" | "now">): Promise<ReadonlyMap<string, Begun>> {
  const labels = { [managedByLabel]: "mailboat-operator" };
  const found = new Map<string, Pick<PodFact, "template" | "ready">[]>();
  for (const { metadata, status } of await kube.list("Pod", { labels })) {
    const relay = nameOf({ namespace: metadata.namespace, name: metadata.labels?.[relayLabel] ?? "" });
    const fact = { template: metadata.annotations?.[templateAnnotation], ready: status.ready };
    found.set(relay, [...(found.get(relay) ?? []), fact]);
  }
  const rollouts = new Map<string, Begun>();
  for (const statefulSet of await kube.list("StatefulSet", { labels })) {
    const { namespace, name } = statefulSet.metadata;
    const relay = await kube.get("MailRelay", namespace, name);
    if (relay === undefined || relay.spec.paused || !isServedAt(installation, relay.spec)) continue;
    const pods = found.get(nameOf(statefulSet.metadata)) ?? [];
    const begun = begunOf({ now: now(), relay, installation, statefulSet, pods });
    if (begun !== undefined) rollouts.set(nameOf(statefulSet.metadata), begun);
  }
  return rollouts;
}

export async function gatherClaims({ kube, memory }: RelaySources, relay: Named): Promise<readonly ClaimFact[]> {
  const { namespace, name } = relay.metadata;
  const claims = await kube.list("PersistentVolumeClaim", { namespace, labels: { [relayLabel]: name } });
  return claims
    .flatMap((claim) => {
      const ordinal = ordinalOf(`${spoolVolume}-${name}`, claim.metadata.name);
      return ordinal === undefined ? [] : [claimFact(claim, ordinal, memory)];
    })
    .sort((left, right) => left.ordinal - right.ordinal);
}

function claimFact(claim: PersistentVolumeClaim, ordinal: number, memory: RelayMemory): ClaimFact {
  const { name, labels, annotations } = claim.metadata;
  const queued = Number(annotations?.[queuedAnnotation] ?? Number.NaN);
  return {
    name,
    ordinal,
    size: claim.spec.resources.requests.storage,
    storageClassName: claim.spec.storageClassName,
    isGoing: claim.metadata.deletionTimestamp !== undefined,
    isBound: claim.status?.phase === "Bound",
    isRetained: labels?.[retainedLabel] !== undefined,
    queued: Number.isSafeInteger(queued) && queued >= 0 ? queued : undefined,
    emptySpool: annotations?.[emptySpoolAnnotation],
    growthRefused: memory.refusal(nameOf(claim.metadata)),
  };
}

async function gatherOptional(
  kube: Kube,
  relay: Stored<MailRelay>,
): Promise<Pick<RelayWorld, "kinds" | "doubts" | "issuance">> {
  const { namespace, name } = relay.metadata;
  const kinds = new Set<OptionalKind>();
  const doubts = new Map<OptionalKind, "forbidden" | "unanswered">();
  for (const kind of ["PodMonitor", "Certificate"] as const) {
    const standing = await kube.serves(kind, namespace);
    if (standing === "served") kinds.add(kind);
    else if (standing !== "absent") doubts.set(kind, standing);
  }
  const issuance = kinds.has("Certificate") ? await kube.get("Certificate", namespace, name) : undefined;
  return { kinds, doubts, issuance };
}

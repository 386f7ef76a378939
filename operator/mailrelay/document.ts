/** The relay document of a MailRelay: Kubernetes' spellings in, milliseconds and bytes out. Pure. */
import { parseDuration } from "../../api/duration.ts";
import { containerPort } from "../../api/fields/listener.ts";
import type { MailRelay, MailRelayStatus } from "../../api/mailrelay.ts";
import { parseQuantity } from "../../api/quantity.ts";
import {
  type CredentialDocument,
  credentialLists,
  credentialsIn,
  type DocumentVersion,
  documentVersions,
  type ListenerDocument,
  relayDocument,
  type RelayDocument,
  relayDocumentName,
} from "../../api/relayconfig.ts";
import { type IssuerProblem, type IssuerRemark, issuerRemarks, tokenIssuersOf } from "../issuers/issuer.ts";
import type { Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { shardDigests, withRevision } from "./objects/configuration.ts";
import { problemsUnder, type Readings, readReferences } from "../references/readings.ts";
import { tracingDocument } from "./objects/tracing.ts";
import { clientAuthoritiesField, relayReferences } from "./references.ts";
import { decideScale } from "./scale/scale.ts";
import { smarthostDocuments } from "../references/smarthost.ts";
import { documentVersionFor } from "./rollout/versions.ts";
import type { RelayWorld } from "./world.ts";
import type { ReferenceProblem } from "../references/problem.ts";

type Spec = MailRelay["spec"];
type DestinationDocument = RelayDocument["delivery"]["destinations"][number];
type ListenerSpec = Spec["listeners"][number];

export type RelayProblem = ReferenceProblem | IssuerProblem;

export interface DocumentReading {
  /** Undefined while there is no way out that could be used: sending by another one would be a surprise. */
  readonly document: RelayDocument | undefined;
  /** References that could not be followed, and issuers of which nothing could be read. */
  readonly problems: readonly RelayProblem[];
}

/** What the pods mount now; undefined when there is none or an older version of ours wrote it. */
export function mountedDocument(world: RelayWorld): RelayDocument | undefined {
  return readRelayDocument(world.configuration);
}

export function readRelayDocument(configuration: Secret | undefined): RelayDocument | undefined {
  const text = secretText(configuration, relayDocumentName);
  if (text === undefined) return undefined;
  try {
    return relayDocument.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * In which version the pods have their documents; undefined while they have none. While somebody has taken the Secret away it is what
 * status said of it: pods keep what they have loaded.
 */
export function givenVersion(
  status: Pick<MailRelayStatus, "documentVersion"> | undefined,
  mounted: RelayDocument | undefined,
): DocumentVersion | undefined {
  if (mounted !== undefined) return mounted.version;
  const { oldest, newest } = documentVersions;
  const said = status?.documentVersion;
  return said === undefined ? undefined : said < newest ? oldest : newest;
}

/** A next hop whose Secret is missing leaves the last good way out in force; everything else takes effect. */
export function relayDocumentOf(world: RelayWorld): DocumentReading {
  const { spec, metadata } = world.relay;
  const readings = readReferences(relayReferences(world.relay), world);
  const referred = [...world.credentials.problems, ...readings.problems];
  const problems = [...referred, ...issuerProblems(world)];
  const isOut = problemsUnder("spec.delivery.", referred).length === 0;
  const mounted = mountedDocument(world);
  const delivery = isOut ? deliveryOf(world, readings) : mounted?.delivery;
  if (delivery === undefined) return { document: undefined, problems };
  const document = withRevision({
    version: documentVersionFor(world, givenVersion(world.relay.status, mounted)),
    relay: { namespace: metadata.namespace, name: metadata.name },
    hostname: spec.hostname,
    ...listenersOf(spec),
    ...clientAuthoritiesOf(world, readings),
    ...credentialLists(credentialsOf(world)),
    ...tokenIssuersOf(spec.identities, world.issuers, mounted),
    spool: {
      capacityBytes: bytes(spec.spool.storage.size),
      highWatermarkPercent: spec.spool.highWatermarkPercent,
    },
    delivery,
    limits: {
      messageSizeBytes: bytes(spec.limits.messageSize),
      recipients: spec.limits.recipients,
      connections: spec.limits.connections,
      connectionsPerClient: spec.limits.connectionsPerClient,
    },
    ...podsOf(world),
    ...tracingOf(world, readings),
    shards: shardDigests(world.shards),
  });
  return { document, problems };
}

/** Of issuers none of whose users gets in; of others a remark tells. */
function issuerProblems(world: RelayWorld): readonly IssuerProblem[] {
  return issuerRemarksOn(world)
    .filter(({ isWithoutKeys }) => isWithoutKeys)
    .map(({ message }) => ({ kind: "invalid", object: "Issuer", field: "spec.identities", message }));
}

export function issuerRemarksOn(world: RelayWorld): readonly IssuerRemark[] {
  const { issuers: facts, installation, relay } = world;
  return issuerRemarks({ identities: relay.spec.identities, facts, mounted: mountedDocument(world), installation });
}

/** Credentials that may not be read just now stay as they were; those that are gone are gone. */
function credentialsOf(world: RelayWorld): readonly CredentialDocument[] {
  const isForbidden = world.credentials.problems.some((problem) => problem.kind === "forbidden");
  if (!isForbidden) return world.credentials.documents;
  const mounted = mountedDocument(world);
  return mounted === undefined ? [] : credentialsIn(mounted);
}

/** As many as take mail now or will: what may be sent is divided among them, and one that leaves has its part until it is gone. */
function podsOf(world: RelayWorld): Pick<RelayDocument, "pods"> {
  if (!world.hasLimits) return {};
  const { desired, replicas } = decideScale(world);
  return { pods: Math.max(1, desired, replicas) };
}

/**
 * One that is gone vouches for nobody, as a login is none whose Secret is gone. While it cannot be read or used, those that the pods
 * have go on: each is believed as long as its own certificate lasts.
 */
function clientAuthoritiesOf(world: RelayWorld, readings: Readings): Pick<RelayDocument, "clientAuthorities"> {
  const [problem] = problemsUnder(clientAuthoritiesField, readings.problems);
  const isInTrouble = problem !== undefined && problem.kind !== "missing";
  const clientAuthorities = isInTrouble
    ? mountedDocument(world)?.clientAuthorities
    : readings.authorities.get(clientAuthoritiesField);
  return clientAuthorities === undefined ? {} : { clientAuthorities };
}

/** While a Secret of it is in trouble, traces go on as they did. */
function tracingOf(world: RelayWorld, readings: Readings): Pick<RelayDocument, "tracing"> {
  const isInTrouble = problemsUnder("spec.tracing.", readings.problems).length > 0;
  const tracing = isInTrouble ? mountedDocument(world)?.tracing : tracingDocument(world, readings);
  return tracing === undefined ? {} : { tracing };
}

function deliveryOf({ relay, installation }: RelayWorld, readings: Readings): RelayDocument["delivery"] {
  const { delivery } = relay.spec;
  const hops = (list: "smarthosts" | "fallbackSmarthosts") =>
    smarthostDocuments({ smarthosts: delivery[list], field: `spec.delivery.${list}`, readings, installation });
  return {
    mode: delivery.mode,
    allowRecipients: [...delivery.allowRecipients],
    smarthosts: [...hops("smarthosts")],
    fallbackSmarthosts: [...hops("fallbackSmarthosts")],
    retry: retryDocument(delivery.retry),
    destinations: delivery.destinations.map(destinationDocument),
    dnsServers: [...delivery.dns.servers],
    blockedNetworks: [...delivery.blockedNetworks],
  };
}

/** Absent stays absent: the document has no room for undefined. */
function destinationDocument(destination: Spec["delivery"]["destinations"][number]): DestinationDocument {
  const { maxConnections, messagesPerMinute, messagesPerConnection, recipientsPerMessage, tlsMode } = destination;
  return {
    name: destination.name,
    match: [...destination.match],
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(messagesPerMinute === undefined ? {} : { messagesPerMinute }),
    ...(messagesPerConnection === undefined ? {} : { messagesPerConnection }),
    ...(recipientsPerMessage === undefined ? {} : { recipientsPerMessage }),
    ...(tlsMode === undefined ? {} : { tlsMode }),
  };
}

/** Those that let nobody in without a certificate stand where relays that do not know of certificates open none. */
function listenersOf({ listeners }: Spec): Pick<RelayDocument, "listeners" | "certificateListeners"> {
  const documents = listeners.map(listenerDocument);
  const wantsOne = ({ clientCertificates }: ListenerDocument): boolean => clientCertificates === "Required";
  const certificateListeners = documents.filter(wantsOne);
  if (certificateListeners.length === 0) return { listeners: documents };
  return { listeners: documents.filter((document) => !wantsOne(document)), certificateListeners };
}

function listenerDocument(listener: ListenerSpec): ListenerDocument {
  const proxy = listener.proxyProtocol;
  const sources = sourceNetworks(listener);
  const { clientCertificates = "None", factors } = listener;
  return {
    name: listener.name,
    port: containerPort(listener.port),
    tlsMode: listener.tlsMode,
    authentication: listener.authentication,
    trustedNetworks: [...listener.trustedNetworks],
    ...(sources === undefined ? {} : { sources }),
    ...(listener.lineEnds === undefined ? {} : { lineEnds: listener.lineEnds }),
    ...(proxy === undefined ? {} : { proxyProtocol: { trustedNetworks: [...proxy.trustedNetworks] } }),
    ...(clientCertificates === "None" ? {} : { clientCertificates }),
    ...(factors === undefined ? {} : { factors }),
  };
}

/** A pod knows addresses. Where others are selected by labels, whoever comes is for the NetworkPolicy alone to judge. */
function sourceNetworks({ sources }: ListenerSpec): string[] | undefined {
  const networks = sources?.flatMap(({ ipBlock }) => (ipBlock === undefined ? [] : [ipBlock.cidr]));
  return networks?.length === sources?.length ? networks : undefined;
}

function retryDocument(retry: Spec["delivery"]["retry"]): RelayDocument["delivery"]["retry"] {
  return {
    firstMs: milliseconds(retry.first),
    maxMs: milliseconds(retry.max),
    expireAfterMs: milliseconds(retry.expireAfter),
    notifyDelayAfterMs: milliseconds(retry.notifyDelayAfter),
  };
}

/** The schema has checked the grammar: a text that is no duration here is a defect of ours. */
export function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined) throw new RangeError(`not a duration: ${duration}`);
  return ms;
}

export function bytes(quantity: string): number {
  const size = parseQuantity(quantity);
  if (size === undefined) throw new RangeError(`not a quantity: ${quantity}`);
  return size;
}

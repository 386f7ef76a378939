/** The relay document of a MailRelay: Kubernetes' spellings in, milliseconds and bytes out. Pure. */
import { parseDuration } from "../../api/duration.ts";
import { containerPort } from "../../api/fields/listener.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import { parseQuantity } from "../../api/quantity.ts";
import { type ListenerDocument, relayDocument, type RelayDocument, relayDocumentName } from "../../api/relayconfig.ts";
import type { Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { shardDigests, withRevision } from "./objects/configuration.ts";
import { readTracing, type TracingReading } from "./objects/tracing.ts";
import { resolveSmarthosts } from "./smarthost.ts";
import { documentVersionFor } from "./rollout/versions.ts";
import type { ReferenceProblem, RelayWorld } from "./world.ts";

type Spec = MailRelay["spec"];
type DestinationDocument = RelayDocument["delivery"]["destinations"][number];
type ListenerSpec = Spec["listeners"][number];

export interface DocumentReading {
  /** Undefined while there is no way out that could be used: sending by another one would be a surprise. */
  readonly document: RelayDocument | undefined;
  /** References that could not be followed. */
  readonly problems: readonly ReferenceProblem[];
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

/** A next hop whose Secret is missing leaves the last good way out in force; everything else takes effect. */
export function relayDocumentOf(world: RelayWorld): DocumentReading {
  const { spec, metadata } = world.relay;
  const wayOut = resolveWayOut(world);
  const tracing = readTracing(world);
  const problems = [...world.credentials.problems, ...wayOut.problems, ...tracing.problems];
  const mounted = mountedDocument(world);
  const delivery = wayOut.problems.length === 0 ? wayOut.delivery : mounted?.delivery;
  if (delivery === undefined) return { document: undefined, problems };
  const document = withRevision({
    version: documentVersionFor(world, mounted?.version),
    relay: { namespace: metadata.namespace, name: metadata.name },
    hostname: spec.hostname,
    listeners: spec.listeners.map(listenerDocument),
    credentials: credentialsOf(world),
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
    ...tracingOf(world, tracing),
    shards: shardDigests(world.shards),
  });
  return { document, problems };
}

/** Credentials that may not be read just now stay as they were; those that are gone are gone. */
function credentialsOf(world: RelayWorld): RelayDocument["credentials"] {
  const isForbidden = world.credentials.problems.some((problem) => problem.kind === "forbidden");
  return isForbidden ? (mountedDocument(world)?.credentials ?? []) : [...world.credentials.documents];
}

/** While a Secret of it is in trouble, traces go on as they did. */
function tracingOf(world: RelayWorld, { document, problems }: TracingReading): Pick<RelayDocument, "tracing"> {
  const tracing = problems.length > 0 ? mountedDocument(world)?.tracing : document;
  return tracing === undefined ? {} : { tracing };
}

interface WayOut {
  readonly delivery: RelayDocument["delivery"];
  readonly problems: readonly ReferenceProblem[];
}

function resolveWayOut(world: RelayWorld): WayOut {
  const { delivery } = world.relay.spec;
  const { secrets, forbidden, place } = world;
  const { namespace } = world.relay.metadata;
  const resolve = (list: "smarthosts" | "fallbackSmarthosts") =>
    resolveSmarthosts({
      smarthosts: delivery[list],
      field: `spec.delivery.${list}`,
      namespace,
      secrets,
      forbidden,
      place,
      now: world.now,
    });
  const smarthosts = resolve("smarthosts");
  const fallbacks = resolve("fallbackSmarthosts");
  return {
    delivery: {
      mode: delivery.mode,
      allowRecipients: [...delivery.allowRecipients],
      smarthosts: [...smarthosts.documents],
      fallbackSmarthosts: [...fallbacks.documents],
      retry: retryDocument(delivery.retry),
      destinations: delivery.destinations.map(destinationDocument),
      dnsServers: [...delivery.dns.servers],
      blockedNetworks: [...delivery.blockedNetworks],
    },
    problems: [...smarthosts.problems, ...fallbacks.problems],
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

function listenerDocument(listener: ListenerSpec): ListenerDocument {
  const proxy = listener.proxyProtocol;
  return {
    name: listener.name,
    port: containerPort(listener.port),
    tlsMode: listener.tlsMode,
    authentication: listener.authentication,
    trustedNetworks: [...listener.trustedNetworks],
    ...(listener.lineEnds === undefined ? {} : { lineEnds: listener.lineEnds }),
    ...(proxy === undefined ? {} : { proxyProtocol: { trustedNetworks: [...proxy.trustedNetworks] } }),
  };
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

/** The relay document of a MailRelay: Kubernetes' spellings in, milliseconds and bytes out. Pure. */
import { parseDuration } from "../../api/duration.ts";
import { containerPort } from "../../api/fields/listener.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import { parseQuantity } from "../../api/quantity.ts";
import type { ListenerDocument, RelayDocument } from "../../api/relayconfig.ts";
import { shardDigests, withRevision } from "./objects/configuration.ts";
import { resolveSmarthosts } from "./smarthost.ts";
import type { ReferenceProblem, RelayWorld } from "./world.ts";

type Spec = MailRelay["spec"];
type ListenerSpec = Spec["listeners"][number];

export interface DocumentReading {
  readonly document: RelayDocument;
  /** References that could not be followed: what depends on them is left out of the document. */
  readonly problems: readonly ReferenceProblem[];
}

export function relayDocumentOf(world: RelayWorld): DocumentReading {
  const { spec, metadata } = world.relay;
  const ways = { secrets: world.secrets, addressBook: world.place.addressBook };
  const smarthosts = resolveSmarthosts({
    ...ways,
    smarthosts: spec.delivery.smarthosts,
    field: "spec.delivery.smarthosts",
  });
  const fallbacks = resolveSmarthosts({
    ...ways,
    smarthosts: spec.delivery.fallbackSmarthosts,
    field: "spec.delivery.fallbackSmarthosts",
  });
  const document = withRevision({
    version: 1,
    relay: { namespace: metadata.namespace, name: metadata.name },
    hostname: spec.hostname,
    listeners: spec.listeners.map(listenerDocument),
    credentials: [...world.credentials.documents],
    spool: {
      capacityBytes: bytes(spec.spool.storage.size),
      highWatermarkPercent: spec.spool.highWatermarkPercent,
    },
    delivery: {
      mode: spec.delivery.mode,
      allowRecipients: [...spec.delivery.allowRecipients],
      smarthosts: [...smarthosts.documents],
      fallbackSmarthosts: [...fallbacks.documents],
      retry: retryDocument(spec.delivery.retry),
      destinations: spec.delivery.destinations.map((destination) => ({ ...destination })),
      dnsServers: [...spec.delivery.dns.servers],
    },
    limits: {
      messageSizeBytes: bytes(spec.limits.messageSize),
      recipients: spec.limits.recipients,
      connections: spec.limits.connections,
      connectionsPerClient: spec.limits.connectionsPerClient,
    },
    shards: shardDigests(world.shards),
  });
  return { document, problems: [...world.credentials.problems, ...smarthosts.problems, ...fallbacks.problems] };
}

function listenerDocument(listener: ListenerSpec): ListenerDocument {
  const proxy = listener.proxyProtocol;
  return {
    name: listener.name,
    port: containerPort(listener.port),
    tlsMode: listener.tlsMode,
    authentication: listener.authentication,
    trustedNetworks: [...listener.trustedNetworks],
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
function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined) throw new RangeError(`not a duration: ${duration}`);
  return ms;
}

function bytes(quantity: string): number {
  const size = parseQuantity(quantity);
  if (size === undefined) throw new RangeError(`not a quantity: ${quantity}`);
  return size;
}

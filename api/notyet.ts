/**
 * Fields that are valid and do nothing yet. Using one is no mistake, but a silent one would be a lie: the operator says
 * so in the condition Accepted (reason NotActedOnYet), and local mode in a log line. An entry goes when its behaviour comes.
 */
import { apiVersion, mailRelayKind, senderDomainKind } from "./group.ts";
import { mailRelay, type MailRelay } from "./mailrelay.ts";
import { senderDomain, type SenderDomain } from "./senderdomain.ts";
import { fieldPath, placeIn } from "./fault/path.ts";
import type { Fault } from "./fault/explain.ts";

export interface NotYet {
  /** As in a manifest. */
  readonly path: string;
  /** What happens instead, and what to use. */
  readonly until: string;
}

export const mailRelayNotYet: readonly NotYet[] = [
  { path: "spec.delivery.warmUp", until: "there is no slow start" },
  { path: "spec.events", until: "no events are posted" },
];

export const senderDomainNotYet: readonly NotYet[] = [
  { path: "spec.dkim.managed.rotateAfter", until: "keys are kept; make new ones by hand" },
  { path: "spec.dns.publish", until: "status lists the records, publish them yourself" },
];

/** Made when they are first asked for, then kept: every look at a resource asks. */
const plain = { relay: once(plainRelay), domain: once(plainDomain) };

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The fields in use that do nothing yet, each with a message that continues its path. Order is that of the table. */
export function unusedFields(object: MailRelay | SenderDomain): Fault[] {
  const [table, defaults] =
    object.kind === mailRelayKind ? [mailRelayNotYet, plain.relay()] : [senderDomainNotYet, plain.domain()];
  return table
    .map(({ path, until }) => ({ place: path.split("."), until }))
    .filter(({ place }) => placeIn(object, place) !== undefined)
    .filter(({ place }) => JSON.stringify(placeIn(object, place)) !== JSON.stringify(placeIn(defaults, place)))
    .map(({ place, until }) => ({ path: fieldPath(place), message: `is not acted on yet: ${until}` }));
}

/** The least a MailRelay can say, with the defaults filled in: whatever differs from it was written by somebody. */
function plainRelay(): MailRelay {
  return mailRelay.parse({
    apiVersion,
    kind: mailRelayKind,
    metadata: { name: "plain" },
    spec: { hostname: "plain.example", listeners: [{ name: "plain", port: 587 }] },
  });
}

function plainDomain(): SenderDomain {
  return senderDomain.parse({
    apiVersion,
    kind: senderDomainKind,
    metadata: { name: "plain" },
    spec: {
      domain: "plain.example",
      relayRef: { name: "plain" },
      senders: [{ name: "plain", trustedNetworks: true }],
      dns: {},
    },
  });
}

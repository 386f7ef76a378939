/** Values that tests of the relay start from: a snapshot, a domain with its keys, a message, what a part reports to when nobody looks. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import type { DomainDocument, RelayDocument, SmarthostDocument } from "../../api/relayconfig.ts";
import type { DomainSettings, SigningKey, Snapshot } from "../../relay/config/snapshot.ts";
import { RelaxedBodyHash } from "../../relay/mail/bodyhash.ts";
import type { HandoffTracer } from "../../relay/observe/handoffspan.ts";
import type { DeliveryMetrics } from "../../relay/delivery/metrics.ts";
import type { HandoffMetrics } from "../../relay/handoff/metrics.ts";
import { spoolIdOf } from "../../relay/spool/message/id.ts";
import type { Message, NewMessage, Recipient } from "../../relay/spool/message/message.ts";

export const silentMetrics: DeliveryMetrics & HandoffMetrics = {
  attempted: () => undefined,
  delivered: () => undefined,
  nextHopConnection: () => undefined,
  phaseEnded: () => undefined,
  notified: () => undefined,
  doubleBounced: () => undefined,
  outcomesUnwritten: () => undefined,
  unwrittenOutcomes: { spool: 0, outcome: 0 },
  given: () => undefined,
  taken: () => undefined,
};

export const noHandoffTracer: HandoffTracer = { give: () => undefined, take: () => undefined };

export const edwardsKey: SigningKey = {
  selector: "ed",
  algorithm: "ed25519-sha256",
  key: generateKeyPairSync("ed25519").privateKey,
};

export function relayDocumentOf(delivery: Partial<RelayDocument["delivery"]> = {}): RelayDocument {
  return {
    version: 2,
    revision: "r1",
    relay: { namespace: "mail", name: "outbound" },
    hostname: "relay.test",
    listeners: [],
    credentials: [],
    spool: { capacityBytes: 1, highWatermarkPercent: 85 },
    delivery: {
      mode: "Send",
      allowRecipients: [],
      smarthosts: [],
      fallbackSmarthosts: [],
      retry: { firstMs: 20, maxMs: 1_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 1_000 },
      destinations: [],
      dnsServers: [],
      ...delivery,
    },
    limits: { messageSizeBytes: 1, recipients: 1, connections: 1, connectionsPerClient: 1 },
    shards: {},
  };
}

export function domainSettingsOf(
  domain: string,
  changes: Partial<DomainDocument> = {},
  keys: readonly SigningKey[] = [edwardsKey],
): DomainSettings {
  const document: DomainDocument = {
    version: 2,
    senderDomain: { namespace: "shop", name: "example" },
    domain,
    keys: [],
    senders: { credentials: [], serviceAccounts: [], clientCertificates: [], trustedNetworks: false },
    localParts: ["*"],
    smarthosts: [],
    limits: {},
    ...changes,
  };
  return { document, keys, identities: new Set() };
}

export function snapshotOf(relay: RelayDocument, domains: readonly DomainSettings[] = []): Snapshot {
  return {
    revision: relay.revision,
    relay,
    domains: new Map(domains.map((settings) => [settings.document.domain, settings])),
    gaps: { domains: new Set(), shards: false, relay: false },
    credentials: new Map(),
    certificate: undefined,
    peer: undefined,
  };
}

export function smarthostAt(port: number, changes: Partial<SmarthostDocument> = {}): SmarthostDocument {
  return { host: "127.0.0.1", port, tlsMode: "None", ...changes };
}

/** 48 bits of chance for a spool id. */
export function spoolChance(): Uint8Array {
  return randomBytes(6);
}

let made = 0;

/** A small signed message from example.com, due at once. */
export function newMessage(
  changes: Partial<Message> = {},
  recipients: readonly Partial<Recipient>[] = [{}],
): NewMessage {
  made += 1;
  const acceptedAt = changes.acceptedAt ?? Date.now();
  const bytes = Buffer.from(`message ${made}\r\n`);
  const hash = new RelaxedBodyHash();
  hash.update(bytes);
  const chance = Buffer.alloc(6);
  chance.writeUInt32BE(made);
  const message: Message = {
    id: spoolIdOf(acceptedAt, chance),
    acceptedAt,
    sender: "sender@example.com",
    smtpUtf8: false,
    eightBit: false,
    domain: "example.com",
    mustSign: true,
    header: Buffer.from(`From: sender@example.com\r\nSubject: ${made}\r\n`),
    body: { kind: "inline", bytes },
    bodyHash: hash.digest(),
    ...changes,
  };
  const addressed = recipients.map((recipient, index) => ({
    index,
    address: `rcpt${index}@example.net`,
    attempts: 0,
    ...recipient,
  }));
  return { message, recipients: addressed, dueAt: acceptedAt };
}

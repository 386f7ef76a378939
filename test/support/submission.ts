/**
 * A submission room for tests: the real listeners on loopback over a spool in memory.
 */
import "reflect-metadata";
import { createHash, createHmac, generateKeyPairSync, pbkdf2Sync, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import {
  parseDomainDocument,
  relayDocument,
  type CredentialDocument,
  type DomainDocument,
  type RelayDocument,
  type SenderEntryDocument,
  type TokenIssuerDocument,
} from "../../api/relayconfig.ts";
import { decodeClientAuthorities } from "../../relay/config/clientauthorities.ts";
import { Gate } from "../../relay/administration/gate.ts";
import { DrainState } from "../../relay/administration/orders.ts";
import type { Certificate, DomainSettings, Gaps, Snapshot, SnapshotSource } from "../../relay/config/snapshot.ts";
import { podLimits, type Limits } from "../../relay/limits/limits.ts";
import { createJournal } from "../../relay/observe/journal.ts";
import { noChecks, type Checks } from "../../relay/reception/checks/check.ts";
import type { UnknownKeys } from "../../relay/reception/identity/tokens/unknownkeys.ts";
import { openReception, type Reception } from "../../relay/reception/listeners.ts";
import { createLog } from "../../runtime/log.ts";
import { systemChance, systemClock, type Clock } from "../../runtime/clock.ts";
import { usualPatience, type Patience } from "../../relay/smtp/server/patience.ts";
import { Notes } from "./bednotes.ts";
import { MemorySpool } from "./receivingspool.ts";
import { SmtpClient, type ClientWish } from "./smtpclient.ts";

export { MemorySpool, type KeptMessage } from "./receivingspool.ts";

export const password = "correct horse";

export function credentialOf(username: string, identity: string, secret: string = password): CredentialDocument {
  const salt = Buffer.from(`salt of ${username}`);
  const iterations = 4096;
  const salted = pbkdf2Sync(secret, salt, iterations, 32, "sha256");
  const key = (name: string): Buffer => createHmac("sha256", salted).update(name).digest();
  return {
    identity,
    username,
    scram: {
      iterations,
      salt: salt.toString("base64"),
      storedKey: createHash("sha256").update(key("Client Key")).digest("base64"),
      serverKey: key("Server Key").toString("base64"),
    },
  };
}

const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

type KeyKind = typeof ecdsa | { readonly name: "Ed25519" };

export async function makeCertificate(name = "relay.example.com", algorithm: KeyKind = ecdsa): Promise<Certificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new Error("no pair of keys");
  const notAfter = new Date(Date.now() + 86_400_000);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }])],
  });
  const privateKey = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    chain: certificate.toString("pem"),
    privateKey: `-----BEGIN PRIVATE KEY-----\n${privateKey}\n-----END PRIVATE KEY-----\n`,
    fingerprint: createHash("sha256").update(Buffer.from(certificate.rawData)).digest("hex"),
    notAfter: notAfter.getTime(),
    names: [name],
  };
}

export interface DomainWish {
  readonly identities?: readonly string[];
  readonly trustedNetworks?: boolean;
  readonly localParts?: readonly string[];
  readonly keyless?: boolean;
  readonly limits?: DomainDocument["limits"];
  /** What each namespace of the tenants' entry `shops` may send. */
  readonly tenantLimits?: DomainDocument["limits"];
  /** Names of certificates. */
  readonly certificates?: Partial<Readonly<Record<"commonNames" | "dnsNames" | "uris", readonly string[]>>>;
  /** In their order; what an entry does not say it does not name. */
  readonly senderEntries?: readonly SenderEntryWish[];
}

export type SenderEntryWish = Partial<SenderEntryDocument> & Pick<SenderEntryDocument, "name">;

export function domainOfWish(domain: string, wish: DomainWish): DomainSettings {
  const { commonNames = [], dnsNames = [], uris = [] } = wish.certificates ?? {};
  const document = parseDomainDocument({
    version: 2,
    senderDomain: { namespace: "shop", name: domain.replaceAll(".", "-") },
    domain,
    keys: [],
    senders: {
      credentials: [],
      serviceAccounts: [],
      clientCertificates: commonNames.map((commonName) => ({ commonName })),
      certificateNames: { dnsNames, uris },
      trustedNetworks: wish.trustedNetworks ?? false,
    },
    localParts: [...(wish.localParts ?? ["*"])],
    smarthosts: [],
    limits: wish.limits ?? {},
    ...(wish.senderEntries === undefined ? {} : { senderEntries: wish.senderEntries.map(senderEntryOf) }),
    ...(wish.tenantLimits === undefined ? {} : { tenant: { name: "shops", limits: wish.tenantLimits } }),
  });
  // Submission only asks whether there is a key; signing has its own tests.
  const keys = wish.keyless === true ? [] : [{ selector: "s1", algorithm: "ed25519-sha256" as const, key: anyKey }];
  return { document, keys, identities: new Set(wish.identities ?? []) };
}

function senderEntryOf(wish: SenderEntryWish): SenderEntryDocument {
  return { secrets: [], serviceAccounts: [], clientCertificates: [], trustedNetworks: false, limits: {}, ...wish };
}

const anyKey = generateKeyPairSync("ed25519").privateKey;

export interface SnapshotWish {
  readonly listeners: readonly Record<string, unknown>[];
  readonly limits?: Readonly<Record<string, number>>;
  readonly credentials?: readonly CredentialDocument[];
  readonly domains?: Readonly<Record<string, DomainWish>>;
  readonly gaps?: Partial<Gaps>;
  readonly certificate?: Certificate | undefined;
  /** PEM. */
  readonly clientAuthorities?: string | undefined;
  readonly delivery?: Partial<RelayDocument["delivery"]>;
  readonly tokenIssuers?: readonly TokenIssuerDocument[];
}

export function snapshotOf(wish: SnapshotWish): Snapshot {
  const relay = relayDocument.parse({
    version: 2,
    revision: "r1",
    relay: { namespace: "mail", name: "outbound" },
    hostname: "relay.example.com",
    listeners: wish.listeners.map((listener) => ({ port: 0, trustedNetworks: [], ...listener })),
    credentials: [],
    tokenIssuers: wish.tokenIssuers,
    spool: { capacityBytes: 1_000_000_000, highWatermarkPercent: 85 },
    delivery: {
      mode: "Send",
      allowRecipients: [],
      smarthosts: [],
      fallbackSmarthosts: [],
      retry: { firstMs: 60_000, maxMs: 600_000, expireAfterMs: 6_000_000, notifyDelayAfterMs: 600_000 },
      destinations: [],
      dnsServers: [],
      ...wish.delivery,
    },
    limits: { messageSizeBytes: 100_000, recipients: 5, connections: 50, connectionsPerClient: 50, ...wish.limits },
    shards: {},
  });
  const credentials = new Map<string, CredentialDocument[]>();
  for (const credential of wish.credentials ?? []) {
    credentials.set(credential.username, [...(credentials.get(credential.username) ?? []), credential]);
  }
  const domains = Object.entries(wish.domains ?? {}).map(([name, each]) => [name, domainOfWish(name, each)] as const);
  return {
    revision: "r1",
    relay,
    domains: new Map(domains),
    gaps: { domains: new Set(), shards: false, relay: false, ...wish.gaps },
    credentials,
    certificate: wish.certificate,
    clientAuthorities: decodeClientAuthorities(wish.clientAuthorities, undefined),
    peer: undefined,
  };
}

/** A snapshot source that a test turns by hand. */
export class TestSnapshots implements SnapshotSource {
  readonly lastError: string | undefined = undefined;
  #now: Snapshot;
  #listener: (snapshot: Snapshot) => void = () => undefined;

  constructor(first: Snapshot) {
    this.#now = first;
  }

  current(): Snapshot {
    return this.#now;
  }

  onChange(listener: (snapshot: Snapshot) => void): void {
    this.#listener = listener;
  }

  set(next: Snapshot): void {
    this.#now = next;
    this.#listener(next);
  }
}

export interface Bed {
  readonly submission: Reception;
  readonly spool: MemorySpool;
  readonly snapshots: TestSnapshots;
  readonly orders: DrainState;
  readonly gate: Gate;
  /** `listener code enhanced` of each refusal counted. */
  readonly refusals: string[];
  /** `check reason` of each answer that did not come. */
  readonly silences: string[];
  /** `domain kind` of each refusal for want of a quota. */
  readonly exhausted: string[];
  /** `listener result` of each handshake that asked for a certificate. */
  readonly handshakes: string[];
  /** `how failed` of each login that was held back. */
  readonly heldBack: string[];
  /** Lines of the log, when the wish names a level. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  /** Connections that count, of all listeners. */
  readonly connections: () => number;
  /** That began a session, ever. */
  readonly connectionsBegun: () => number;
  connect(
    listener: string,
    wish?: Omit<ClientWish, "implicitTls"> & { readonly implicitTls?: boolean },
  ): Promise<SmtpClient>;
  close(): Promise<void>;
}

export interface BedWish {
  readonly patience?: Partial<Patience>;
  readonly logLevel?: string;
  /** The system's when absent. */
  readonly clock?: Clock;
  /** None when absent. */
  readonly checks?: Checks;
  readonly unknownKeys?: UnknownKeys;
  /** A pod's when absent, but that nobody is turned away at the door: tests are loud. */
  readonly limits?: Limits;
  /** Where listeners bind; loopback of IPv4 when absent. */
  readonly listenHost?: string;
}

export async function openBed(
  wish: SnapshotWish,
  {
    patience,
    logLevel = "silent",
    clock = systemClock,
    checks = noChecks,
    limits,
    listenHost,
    ...others
  }: BedWish = {},
): Promise<Bed> {
  const spool = new MemorySpool();
  const snapshots = new TestSnapshots(snapshotOf(wish));
  const notes = new Notes();
  const log = createLog({ level: logLevel, program: "test" }, notes);
  const orders = new DrainState();
  const gate = new Gate({ orders, stopping: new AbortController().signal });
  const submission = await openReception({
    snapshots,
    spool,
    log,
    journal: createJournal({ log, clock }),
    clock,
    chance: systemChance,
    limits: limits ?? { ...podLimits(clock), newcomers: { isInTime: () => true } },
    metrics: notes.metrics,
    gate,
    checks: () => checks,
    ...others,
    listenHost: listenHost ?? "127.0.0.1",
    ports: new Map(),
    // They would wait.
    patience: { ...usualPatience, pauseMs: 0, slowLoginMs: 0, ...patience },
  });
  const clients: SmtpClient[] = [];
  return {
    submission,
    spool,
    snapshots,
    orders,
    gate,
    refusals: notes.refusals,
    silences: notes.silences,
    exhausted: notes.exhausted,
    handshakes: notes.handshakes,
    heldBack: notes.heldBack,
    lines: notes.lines,
    connections: () => notes.connections,
    connectionsBegun: () => notes.connectionsBegun,
    async connect(listener, wished = {}) {
      const client = await connectTo({ submission, snapshots }, listener, wished);
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.destroy();
      await submission.close(1000);
    },
  };
}

async function connectTo(
  { submission, snapshots }: Pick<Bed, "submission" | "snapshots">,
  listener: string,
  wished: Partial<ClientWish>,
): Promise<SmtpClient> {
  const port = submission.addresses.get(listener);
  const document = snapshots.current().relay.listeners.find((each) => each.name === listener);
  if (port === undefined) throw new Error(`listener ${listener} is not open`);
  return SmtpClient.connect(port, { implicitTls: document?.tlsMode === "Implicit", ...wished });
}

/**
 * What the operator tells a relay pod: the contract downwards.
 *
 * The relay reads it from mounted files, never from the API server. One document for the whole relay
 * (`relay.json` in the configuration directory) and one for each sender domain (`<domain>.json` in a shard directory).
 * All durations are milliseconds, all sizes bytes: Kubernetes' spellings end in the operator.
 */
import { z } from "zod";
import { rsaPrimes } from "./rsakey.ts";
import { tokenKey } from "./identity/tokenkey.ts";

/**
 * Versions of the documents that this release reads. The operator writes the newest that all pods of a relay read, so that a
 * relay of the release before goes on under it. All documents of a relay have one version.
 *
 * 2: a domain's `addresses` are called `localParts`.
 */
export const documentVersions = { oldest: 1, newest: 2 } as const;
export type DocumentVersion = 1 | 2;

const newer = (version: unknown): string =>
  `is ${JSON.stringify(version)}, and this release reads ${documentVersions.oldest} to ${documentVersions.newest}`;

const version = z.union([z.literal(1), z.literal(2)], { error: ({ input }) => newer(input) });

/** Names of the directories under the relay's configuration root; each is one mounted Secret. */
export const configurationDirectory = "configuration";
export const tlsDirectory = "tls";
export const domainsDirectory = "domains";
export const relayDocumentName = "relay.json";
export const shardCount = 32;

/** RFC 5803 fields: enough to check a password, useless to log in elsewhere. Base64 throughout. */
const scramVerifier = z.object({
  iterations: z.int().min(4096),
  salt: z.string(),
  storedKey: z.string(),
  serverKey: z.string(),
});

const credential = z.object({
  /** `namespace/name` of the Secret it was derived from; this is the identity that grants name. */
  identity: z.string(),
  username: z.string(),
  scram: scramVerifier,
});

/**
 * One whose time ends. They stand apart: a relay that does not know of them lets nobody in who is to be let in for a time only, as it
 * would not keep to that time.
 */
const expiringCredential = credential.extend({
  /** Milliseconds since the epoch. */
  expiresAt: z.int().min(0),
});

export const outboundTlsModes = ["None", "Opportunistic", "Required", "Implicit"] as const;

const smarthost = z.object({
  host: z.string(),
  port: z.int().min(1).max(65535),
  tlsMode: z.enum(outboundTlsModes),
  credentials: z.object({ username: z.string(), password: z.string() }).optional(),
  /** PEM bundle that the next hop's certificate must chain to; the system's roots when absent, and none when it is empty. */
  ca: z.string().optional(),
});

const listener = z.object({
  name: z.string(),
  /** The container port; the Service maps the public one to it. */
  port: z.int().min(0).max(65535),
  tlsMode: z.enum(["None", "StartTLS", "Implicit"]),
  authentication: z.enum(["Required", "Optional"]),
  /** CIDR blocks whose clients may relay without AUTH on this listener. */
  trustedNetworks: z.array(z.string()),
  /** CIDR blocks whose clients may connect; everybody may when absent. A manifest names at least one. */
  sources: z.array(z.string()).optional(),
  /** Of trusted clients; Strict when absent. */
  lineEnds: z.enum(["Strict", "Lenient"]).optional(),
  proxyProtocol: z.object({ trustedNetworks: z.array(z.string()) }).optional(),
  /** Whether clients are asked for a certificate; they are not when absent. */
  clientCertificates: z.enum(["Optional", "Required"]).optional(),
  /** Proofs that a client needs, of which a certificate that is required is one; 1 when absent. */
  factors: z.int().min(1).max(2).optional(),
});

const destination = z.object({
  name: z.string(),
  match: z.array(z.string()),
  maxConnections: z.int().min(1).optional(),
  messagesPerMinute: z.int().min(1).optional(),
  messagesPerConnection: z.int().min(1).optional(),
  recipientsPerMessage: z.int().min(1).optional(),
  tlsMode: z.enum(outboundTlsModes).optional(),
});

const tracing = z.object({
  /** Base URL of the collector's OTLP/HTTP receiver; absent, spans are at most lines of the log. */
  endpoint: z.string().optional(),
  samplingRatio: z.number().min(0).max(1),
  /** Sent with every export; secret. */
  headers: z.record(z.string(), z.string()),
  /** PEM bundle that the collector's certificate must chain to; the system's roots when absent. */
  ca: z.string().optional(),
  /** Next hops that see the trace fields; with a port, only there. */
  trustedNextHops: z.array(z.object({ host: z.string(), port: z.int().min(1).max(65535).optional() })),
});

/** Most in an hour, of all pods together; what is absent is not limited. */
const sendLimits = z.object({
  messagesPerHour: z.int().min(1).optional(),
  recipientsPerHour: z.int().min(1).optional(),
  bytesPerHour: z.number().min(1).optional(),
});

/**
 * Who issues tokens that log in. `issuer` is absent while the operator has not read it, and `keys` are empty then: who shows a token
 * hears to come back.
 */
const tokenIssuer = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("ServiceAccounts"),
    issuer: z.string().optional(),
    audience: z.string(),
    keys: z.array(tokenKey),
  }),
  z.object({
    kind: z.literal("OIDC"),
    /** By which senders name it. */
    name: z.string(),
    issuer: z.string(),
    audience: z.string(),
    usernameClaim: z.string(),
    groupsClaim: z.string().optional(),
    keys: z.array(tokenKey),
  }),
]);

export const relayDocument = z.object({
  version,
  /** Digest of everything the operator wants this relay to run; reported back once all of it is loaded. */
  revision: z.string(),
  relay: z.object({ namespace: z.string(), name: z.string() }),
  hostname: z.string(),
  listeners: z.array(listener),
  /**
   * Listeners that let nobody in without a certificate. They are apart because a relay that does not know of certificates would open
   * them for whoever has a password: it opens none of these.
   */
  certificateListeners: z.array(listener).optional(),
  /** PEM bundle that clients' certificates must chain to; absent, none is believed. */
  clientAuthorities: z.string().optional(),
  credentials: z.array(credential),
  expiringCredentials: z.array(expiringCredential).optional(),
  /** Absent: nobody logs in with a token. A relay that does not know them refuses who shows one. */
  tokenIssuers: z.array(tokenIssuer).optional(),
  spool: z.object({ capacityBytes: z.number().positive(), highWatermarkPercent: z.int().min(1).max(100) }),
  delivery: z.object({
    mode: z.enum(["Send", "Capture", "AllowList"]),
    allowRecipients: z.array(z.string()),
    smarthosts: z.array(smarthost),
    fallbackSmarthosts: z.array(smarthost),
    retry: z.object({
      firstMs: z.number().positive(),
      maxMs: z.number().positive(),
      expireAfterMs: z.number().positive(),
      notifyDelayAfterMs: z.number().positive(),
    }),
    destinations: z.array(destination),
    dnsServers: z.array(z.string()),
    /** CIDR blocks that no MX host may lie in; absent in documents of operators that did not know of them. */
    blockedNetworks: z.array(z.string()).optional(),
  }),
  limits: z.object({
    messageSizeBytes: z.number().positive(),
    recipients: z.int().min(1),
    connections: z.int().min(1),
    connectionsPerClient: z.int().min(1),
  }),
  /**
   * Among how many pods what may be sent in an hour is divided, where no lease says otherwise; absent where nothing is limited, and
   * then it is one.
   */
  pods: z.int().min(1).optional(),
  /** Absent: nothing is traced. */
  tracing: tracing.optional(),
  /** SHA-256 (hex) of shardText() by shard directory name: a shard that differs has not arrived yet. */
  shards: z.record(z.string(), z.string()),
});

/** Whom senders name beside the Secrets of logins. */
const namedSenders = {
  serviceAccounts: z.array(z.object({ namespace: z.string(), name: z.string() })),
  clientCertificates: z.array(z.object({ commonName: z.string() })),
  /** Those by other names than the common one, which documents once had alone; none when absent. */
  certificateNames: z.object({ dnsNames: z.array(z.string()), uris: z.array(z.string()) }).optional(),
  /** Who of an issuer's users: by name, or by a group. Absent: nobody. */
  oidc: z.array(z.object({ issuer: z.string(), users: z.array(z.string()), groups: z.array(z.string()) })).optional(),
  trustedNetworks: z.boolean(),
};

const senderEntry = z.object({
  name: z.string(),
  /** `namespace/name` of those that let somebody in by this entry. */
  secrets: z.array(z.string()),
  ...namedSenders,
  /** Of each identity that the entry names. */
  limits: sendLimits,
});

const domainFields = z.object({
  senderDomain: z.object({ namespace: z.string(), name: z.string() }),
  /** A-label form, lower case. */
  domain: z.string(),
  /** Primes, or PKCS#8 or PKCS#1 PEM. An empty list means the domain asked for DKIM and has no usable key: mail is deferred. */
  keys: z.array(z.object({ selector: z.string(), privateKey: z.union([z.string(), rsaPrimes]) })),
  /** Present when the manifest asks for no DKIM: mail goes unsigned. Without it no message leaves unsigned. */
  unsigned: z.literal(true).optional(),
  senders: z.object({
    credentials: z.array(credential),
    expiringCredentials: z.array(expiringCredential).optional(),
    ...namedSenders,
  }),
  /** This domain's own way out; empty means the relay's. */
  smarthosts: z.array(smarthost),
  limits: sendLimits,
  /** The entries of senders in their order, where one of them limits its identities; absent where none does. */
  senderEntries: z.array(senderEntry).optional(),
  /** The entry of the relay's tenants that admits it, where that limits each of its namespaces. */
  tenant: z.object({ name: z.string(), limits: sendLimits }).optional(),
  bounces: z.object({ to: z.string() }).optional(),
});

/** Local parts that may be used; `*` stands for any run of characters. */
const localParts = z.array(z.string());

const domainDocumentAs = {
  1: domainFields
    .extend({ version: z.literal(1), addresses: localParts })
    .transform(({ addresses, ...document }) => ({ ...document, localParts: addresses })),
  2: domainFields.extend({ version: z.literal(2), localParts }),
} as const;

export type DomainDocument = z.infer<typeof domainFields> & {
  readonly version: DocumentVersion;
  localParts: z.infer<typeof localParts>;
};

const versioned = z.object({ version });

/** Of either version, in the words of the newest; `version` is the one that it had. Throws ZodError. */
export function parseDomainDocument(json: unknown): DomainDocument {
  return domainDocumentAs[versioned.parse(json).version].parse(json);
}

/** As it is mounted, in the words of its version; always in this order, so that the same document is the same text. */
export function domainDocumentText(document: DomainDocument): string {
  const { version: written, localParts: named, senderDomain, domain, keys, unsigned, senders, ...others } = document;
  const { smarthosts, limits, senderEntries, tenant, bounces, ...unnamed } = others;
  const parts = written === 1 ? { addresses: named } : { localParts: named };
  // A field that no place was given in the order is an error of the compiler: left out, it would never reach a relay.
  const last = { smarthosts, limits, senderEntries, tenant, bounces, ...(unnamed satisfies Record<string, never>) };
  const inOrder = { version: written, senderDomain, domain, keys, unsigned, senders, ...parts, ...last };
  return `${JSON.stringify(inOrder, undefined, 1)}\n`;
}

export type RelayDocument = z.infer<typeof relayDocument>;
/** A private key as domain documents carry it. */
export type KeyDocument = DomainDocument["keys"][number]["privateKey"];
export type SenderEntryDocument = z.infer<typeof senderEntry>;
export type ScramVerifier = z.infer<typeof scramVerifier>;
/** Of either kind. */
export type CredentialDocument = z.infer<typeof credential> & Partial<z.infer<typeof expiringCredential>>;
export type SmarthostDocument = z.infer<typeof smarthost>;
export type ListenerDocument = z.infer<typeof listener>;
export type TokenIssuerDocument = z.infer<typeof tokenIssuer>;
export type TracingDocument = z.infer<typeof tracing>;
export type OutboundTlsMode = (typeof outboundTlsModes)[number];

interface CredentialLists {
  credentials: z.infer<typeof credential>[];
  expiringCredentials?: z.infer<typeof expiringCredential>[] | undefined;
}

/** All that stand in a document. */
export function credentialsIn(document: CredentialLists): readonly CredentialDocument[] {
  return [...document.credentials, ...(document.expiringCredentials ?? [])];
}

/** As they stand in a document. */
export function credentialLists(credentials: readonly CredentialDocument[]): CredentialLists {
  const lists: CredentialLists & { expiringCredentials: z.infer<typeof expiringCredential>[] } = {
    credentials: [],
    expiringCredentials: [],
  };
  for (const { expiresAt, ...lasting } of credentials) {
    if (expiresAt === undefined) lists.credentials.push(lasting);
    else lists.expiringCredentials.push({ ...lasting, expiresAt });
  }
  const { expiringCredentials, ...others } = lists;
  return expiringCredentials.length === 0 ? others : lists;
}

/** The text a shard's digest is taken of: its data keys in order, so that both sides agree byte for byte. */
export function shardText(data: Readonly<Record<string, string>>): string {
  return Object.keys(data)
    .sort()
    .map((key) => `${key}\n${(data[key] ?? "").length}\n${data[key] ?? ""}\n`)
    .join("");
}

/** `00` to `31`: the directory and Secret suffix of a shard. */
export function shardName(index: number): string {
  return String(index).padStart(2, "0");
}

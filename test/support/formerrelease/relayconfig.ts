/** Documents as relays of the release before read them, word for word: what is written for those must pass here. */
import { z } from "zod";
import { rsaPrimes } from "../../../api/rsakey.ts";

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

const outboundTlsModes = ["None", "Opportunistic", "Required", "Implicit"] as const;

const smarthost = z.object({
  host: z.string(),
  port: z.int().min(1).max(65535),
  tlsMode: z.enum(outboundTlsModes),
  credentials: z.object({ username: z.string(), password: z.string() }).optional(),
  /** PEM bundle that the next hop's certificate must chain to; the system's roots when absent. */
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
  proxyProtocol: z.object({ trustedNetworks: z.array(z.string()) }).optional(),
});

const destination = z.object({
  name: z.string(),
  match: z.array(z.string()),
  maxConnections: z.int().min(1).optional(),
  messagesPerMinute: z.int().min(1).optional(),
  messagesPerConnection: z.int().min(1).optional(),
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

export const relayDocument = z.object({
  version: z.literal(1),
  /** Digest of everything the operator wants this relay to run; reported back once all of it is loaded. */
  revision: z.string(),
  relay: z.object({ namespace: z.string(), name: z.string() }),
  hostname: z.string(),
  listeners: z.array(listener),
  credentials: z.array(credential),
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
  }),
  limits: z.object({
    messageSizeBytes: z.number().positive(),
    recipients: z.int().min(1),
    connections: z.int().min(1),
    connectionsPerClient: z.int().min(1),
  }),
  /** Absent: nothing is traced. */
  tracing: tracing.optional(),
  /** SHA-256 (hex) of shardText() by shard directory name: a shard that differs has not arrived yet. */
  shards: z.record(z.string(), z.string()),
});

export const domainDocument = z.object({
  version: z.literal(1),
  senderDomain: z.object({ namespace: z.string(), name: z.string() }),
  /** A-label form, lower case. */
  domain: z.string(),
  /** Primes, or PKCS#8 or PKCS#1 PEM. An empty list means the domain asked for DKIM and has no usable key: mail is deferred. */
  keys: z.array(z.object({ selector: z.string(), privateKey: z.union([z.string(), rsaPrimes]) })),
  /** Present when the manifest asks for no DKIM: mail goes unsigned. Without it no message leaves unsigned. */
  unsigned: z.literal(true).optional(),
  senders: z.object({
    credentials: z.array(credential),
    serviceAccounts: z.array(z.object({ namespace: z.string(), name: z.string() })),
    clientCertificates: z.array(z.object({ commonName: z.string() })),
    trustedNetworks: z.boolean(),
  }),
  /** Local parts that may be used; `*` stands for any run of characters. */
  addresses: z.array(z.string()),
  /** This domain's own way out; empty means the relay's. */
  smarthosts: z.array(smarthost),
  limits: z.object({
    messagesPerHour: z.int().min(1).optional(),
    recipientsPerHour: z.int().min(1).optional(),
    bytesPerHour: z.number().min(1).optional(),
  }),
  bounces: z.object({ to: z.string() }).optional(),
});

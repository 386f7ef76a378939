/** A relay's configuration directory from plain values, written as the operator's mounts would look. */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { peerDirectory } from "../../api/administration.ts";
import {
  configurationDirectory,
  credentialLists,
  domainsDirectory,
  relayDocumentName,
  shardCount,
  shardName,
  shardText,
  tlsDirectory,
  type CredentialDocument,
  type DomainDocument,
  type ListenerDocument,
  type RelayDocument,
  type SmarthostDocument,
  type TokenIssuerDocument,
  type TracingDocument,
} from "../../api/relayconfig.ts";
import { stableSalt } from "../../runtime/scram.ts";
import type { TestCertificate } from "./keys.ts";
import type { PeerFiles } from "./peers.ts";
import { keepSecret, keepSecrets } from "./secrets/disclosure.ts";
import { secretsIn } from "./secrets/documents.ts";

export const user = { name: "app", password: "correct horse" } as const;

/** What a test says of its relay; everything else has the values below. */
export interface RelayPlan {
  readonly revision?: string;
  readonly nextHops: readonly Pick<SmarthostDocument, "host" | "port">[];
  readonly domains: readonly DomainPlan[];
  readonly certificate: TestCertificate;
  /** Opens the administration port. */
  readonly peer?: PeerFiles;
  readonly listeners?: readonly ListenerDocument[];
  readonly retry?: RelayDocument["delivery"]["retry"];
  /** Further fields of the way out; without `nextHops` mail goes by MX. */
  readonly delivery?: Partial<RelayDocument["delivery"]>;
  readonly limits?: Partial<RelayDocument["limits"]>;
  readonly capacityBytes?: number;
  readonly nextHopTls?: Pick<SmarthostDocument, "tlsMode" | "ca">;
  readonly tracing?: TracingDocument;
  /** PEM. */
  readonly clientAuthorities?: string;
  readonly tokenIssuers?: readonly TokenIssuerDocument[];
}

export interface DomainPlan {
  readonly domain: string;
  /** PEM, or as the operator writes RSA keys. */
  readonly keys: readonly DomainDocument["keys"][number][];
  readonly trustedNetworks?: boolean;
  /** The domain's own way out. */
  readonly nextHops?: RelayPlan["nextHops"];
  /** Where notices go instead of to the sender. */
  readonly bouncesTo?: string;
  readonly limits?: DomainDocument["limits"];
  /** Of `user`, in place of the one that tests log in with. */
  readonly password?: string;
  /** In place of that one login. */
  readonly credentials?: readonly CredentialDocument[];
  /** URIs of certificates that may send. */
  readonly certificateUris?: readonly string[];
  /** Who may use it by other things than passwords. */
  readonly senders?: Partial<Omit<DomainDocument["senders"], "credentials">>;
  /** All when absent. */
  readonly localParts?: readonly string[];
}

/** One listener of each kind; `smtp` trusts this machine. */
export const allListeners: readonly ListenerDocument[] = [
  { name: "submission", port: 0, tlsMode: "StartTLS", authentication: "Required", trustedNetworks: [] },
  { name: "submissions", port: 0, tlsMode: "Implicit", authentication: "Required", trustedNetworks: [] },
  { name: "smtp", port: 0, tlsMode: "StartTLS", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] },
];

const iterations = 4096;

/** RFC 5802 section 3. */
export function credentialFor(identity: string, username: string, password: string): CredentialDocument {
  keepSecret(`the password of ${username}`, password);
  const salt = stableSalt("mail/outbound", username);
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const hmac = (text: string): Buffer => createHmac("sha256", salted).update(text).digest();
  return {
    identity,
    username,
    scram: {
      iterations,
      salt: salt.toString("base64"),
      storedKey: createHash("sha256").update(hmac("Client Key")).digest("base64"),
      serverKey: hmac("Server Key").toString("base64"),
    },
  };
}

function domainDocumentOf(plan: DomainPlan): DomainDocument {
  return {
    version: 2,
    senderDomain: { namespace: "shop", name: plan.domain.replaceAll(".", "-") },
    domain: plan.domain,
    keys: plan.keys.map(({ selector, privateKey }) => ({ selector, privateKey })),
    senders: {
      ...credentialLists(plan.credentials ?? [credentialFor("shop/app", user.name, plan.password ?? user.password)]),
      serviceAccounts: [],
      clientCertificates: [],
      ...(plan.certificateUris === undefined
        ? {}
        : { certificateNames: { dnsNames: [], uris: [...plan.certificateUris] } }),
      trustedNetworks: plan.trustedNetworks ?? true,
      ...plan.senders,
    },
    localParts: [...(plan.localParts ?? ["*"])],
    smarthosts: (plan.nextHops ?? []).map((hop) => ({ ...hop, tlsMode: "None" })),
    limits: plan.limits ?? {},
    ...(plan.bouncesTo === undefined ? {} : { bounces: { to: plan.bouncesTo } }),
  };
}

function relayDocumentOf(plan: RelayPlan, shards: Readonly<Record<string, string>>): RelayDocument {
  const listeners = plan.listeners ?? allListeners;
  const certificateListeners = listeners.filter(({ clientCertificates }) => clientCertificates === "Required");
  const tls = plan.nextHopTls ?? { tlsMode: "None" };
  return {
    version: 2,
    revision: plan.revision ?? "1",
    relay: { namespace: "mail", name: "outbound" },
    hostname: "relay.example.net",
    listeners: listeners.filter((listener) => !certificateListeners.includes(listener)),
    ...(certificateListeners.length === 0 ? {} : { certificateListeners }),
    ...(plan.clientAuthorities === undefined ? {} : { clientAuthorities: plan.clientAuthorities }),
    credentials: [],
    spool: { capacityBytes: plan.capacityBytes ?? 4 * 2 ** 30, highWatermarkPercent: 85 },
    delivery: {
      mode: "Send",
      allowRecipients: [],
      smarthosts: plan.nextHops.map((hop) => ({ host: hop.host, port: hop.port, ...tls })),
      fallbackSmarthosts: [],
      retry: plan.retry ?? { firstMs: 1_000, maxMs: 4_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 3_000_000 },
      destinations: [],
      dnsServers: [],
      ...plan.delivery,
    },
    limits: {
      messageSizeBytes: 64 * 2 ** 20,
      recipients: 100,
      connections: 200,
      connectionsPerClient: 200,
      ...plan.limits,
    },
    ...(plan.tracing === undefined ? {} : { tracing: plan.tracing }),
    ...(plan.tokenIssuers === undefined ? {} : { tokenIssuers: [...plan.tokenIssuers] }),
    shards,
  };
}

/** Files are renamed into place, domains before the relay's own document, as a reader must be able to see them change. */
export function writeConfiguration(root: string, plan: RelayPlan): void {
  const byShard = new Map<string, Record<string, string>>();
  for (let index = 0; index < shardCount; index += 1) byShard.set(shardName(index), {});
  plan.domains.forEach((domain, index) => {
    const files = byShard.get(shardName(index % shardCount));
    if (files !== undefined) files[`${domain.domain}.json`] = JSON.stringify(domainDocumentOf(domain));
  });
  const digests: Record<string, string> = {};
  for (const [name, files] of byShard) {
    digests[name] = createHash("sha256").update(shardText(files)).digest("hex");
    placeShard(join(root, domainsDirectory, name), files);
  }
  const { certificate, privateKey } = plan.certificate;
  placeFiles(join(root, tlsDirectory), { "tls.crt": certificate, "tls.key": privateKey });
  if (plan.peer !== undefined) placePeer(root, plan.peer);
  placeText(root, JSON.stringify(relayDocumentOf(plan, digests)));
}

export function placePeer(root: string, { certificate, privateKey, authorities }: PeerFiles): void {
  placeFiles(join(root, peerDirectory), { "tls.crt": certificate, "tls.key": privateKey, "ca.crt": authorities });
}

/** Writes the relay's own document as it is, right or wrong. */
export function placeText(root: string, relayDocumentText: string): void {
  placeFiles(join(root, configurationDirectory), { [relayDocumentName]: relayDocumentText });
}

/** What is no longer meant goes; an empty shard has no directory, as an optional volume. */
function placeShard(directory: string, files: Readonly<Record<string, string>>): void {
  if (Object.keys(files).length > 0) placeFiles(directory, files);
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) if (files[name] === undefined) rmSync(join(directory, name));
}

function placeFiles(directory: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const temporary = join(directory, `..${name}.new`);
    writeFileSync(temporary, text);
    keepSecrets(secretsIn(text, name));
    renameSync(temporary, join(directory, name));
  }
}

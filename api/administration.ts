/**
 * What goes over a relay pod's administration port (9465, mutual TLS only): the operator's orders to it, and mail from pod to pod
 * of the same relay. Who may do what is decided by the URI in the certificate of whoever asks.
 */
import { z } from "zod";

/** Name of the port in pods; a listener cannot have it. */
export const administrationPortName = "admin";
export const administrationPort = 9465;

/** Directory under the relay's configuration root, a mounted Secret with `tls.crt`, `tls.key` and `ca.crt` (a bundle). */
export const peerDirectory = "peer";

/** Subject alternative name (URI) of the operator's own certificate: it alone gives orders. */
export const operatorIdentity = "mailboat://operator";

/** Subject alternative name (URI) of the certificate that all pods of a relay share: they alone hand mail to each other. */
export function relayIdentity(relay: { readonly namespace: string; readonly name: string }): string {
  return `mailboat://relay/${relay.namespace}/${relay.name}`;
}

/**
 * Who a certificate of the internal authority speaks for: the URI among its subject alternative names, from the text that Node
 * makes of them (`URI:mailboat://operator, DNS:a`). Host names say nothing here, because pods come and go; the chain is checked
 * by TLS before this is asked. Undefined unless there is exactly one URI. Node quotes a name with special characters, which none
 * of ours has: such a certificate speaks for nobody.
 */
export function identityOf(subjectAltName: string | undefined): string | undefined {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined;
  const names = subjectAltName.split(", ").filter((name) => name.startsWith(scheme));
  return names.length === 1 ? names[0]?.slice(scheme.length) : undefined;
}

const scheme = "URI:";

/** `POST` gives or renews the order, `DELETE` takes it back; both are for the operator and may be said again at any time. */
export const drainPath = "/drain";

/** A pod of the same relay that stays. */
const peer = z.object({
  /** The pod's name: what people read, and by which an unfinished transfer is taken up again. */
  name: z.string().min(1),
  /** A name or address that does not change when the pod restarts. */
  host: z.string().min(1),
  port: z.int().min(1).max(65535),
});

/** The order to take no more mail and to give away what is there. Without peers the pod delivers what it can by itself. */
export const drainOrder = z.object({ version: z.literal(1), peers: z.array(peer).max(1000) });

export type Peer = z.infer<typeof peer>;
export type DrainOrder = z.infer<typeof drainOrder>;

/** `POST` leases shares of what may be sent in an hour; for the operator. What is not named again goes on to its end. */
export const quotasPath = "/quotas";

export const quotaLeases = z.object({
  version: z.literal(1),
  /** From their arrival on: no two clocks are compared. */
  forMs: z.int().min(1).max(600_000),
  /** Of all pods together, a share is at most 1. */
  shares: z.array(z.object({ key: z.string().min(1), share: z.number().min(0).max(1) })).max(1000),
});

export type QuotaLeases = z.infer<typeof quotaLeases>;

/** What a quota is called between operator and relay, and in status. */
export function domainQuota(domain: string): string {
  return `domain ${domain}`;
}

/** Of an entry of the relay's tenants each namespace has its own. */
export function tenantQuota(entry: string, namespace: string): string {
  return `tenant ${entry} ${namespace}`;
}

/** Of an entry of a domain's senders each identity has its own; `identity` is a digest without spaces. */
export function senderQuota(domain: string, entry: string, identity: string): string {
  return `sender ${domain} ${entry} ${identity}`;
}

/** `example.com`, `namespace shop`, or `sender apps of example.com`: of identities nothing is told. */
export function ownerOfQuota(key: string): string {
  const [kind, name = "", more = ""] = key.split(" ");
  if (kind === "domain") return name;
  return kind === "sender" ? senderOwner(name, more) : namespaceOwner(more);
}

const namespaceWord = "namespace ";
const senderWord = "sender ";
const ofWord = " of ";

export function namespaceOwner(namespace: string): string {
  return `${namespaceWord}${namespace}`;
}

export function senderOwner(domain: string, entry: string): string {
  return `${senderWord}${entry}${ofWord}${domain}`;
}

/** Whose domains an owner's limits concern: those of a namespace, or one domain. */
export type OwnerScope = { readonly namespace: string } | { readonly domain: string };

export function scopeOfOwner(owner: string): OwnerScope {
  if (owner.startsWith(namespaceWord)) return { namespace: owner.slice(namespaceWord.length) };
  return { domain: senderDomainOf(owner) ?? owner };
}

/** The domain of an entry of senders; undefined where the owner is none. */
export function senderDomainOf(owner: string): string | undefined {
  return owner.startsWith(senderWord) ? owner.slice(owner.indexOf(ofWord) + ofWord.length) : undefined;
}

/**
 * The DNS records a domain's owner has to publish, as names and values that can be pasted into a zone.
 * Pure; what is observed in DNS is somebody else's question.
 */

export interface DnsRecord {
  readonly type: "TXT";
  readonly name: string;
  readonly value: string;
}

/** What a DKIM key record says about a key. `publicKey` is base64: SubjectPublicKeyInfo for RSA, the 32 octets for Ed25519. */
export interface PublicKeyFact {
  readonly selector: string;
  readonly algorithm: "rsa" | "ed25519";
  readonly publicKey: string;
}

/** RFC 6376 section 3.6.1, and RFC 8463 section 4 for Ed25519. */
export function dkimRecord(domain: string, key: PublicKeyFact): DnsRecord {
  return {
    type: "TXT",
    name: `${key.selector}._domainkey.${domain}`,
    value: `v=DKIM1; k=${key.algorithm}; p=${key.publicKey}`,
  };
}

export interface SpfPolicy {
  readonly include: readonly string[];
}

/** RFC 7208 section 4.5: one record at the domain itself. Soft fail, because the domain may have other senders. */
export function spfRecord(domain: string, policy: SpfPolicy): DnsRecord {
  const terms = policy.include.map((host) => `include:${host}`);
  return { type: "TXT", name: domain, value: ["v=spf1", ...terms, "~all"].join(" ") };
}

export interface DmarcPolicy {
  readonly policy: string;
  readonly reportsTo: readonly string[];
}

/** RFC 7489 section 6.3. */
export function dmarcRecord(domain: string, dmarc: DmarcPolicy): DnsRecord {
  const reports = dmarc.reportsTo.map((address) => (address.startsWith("mailto:") ? address : `mailto:${address}`));
  const tags = [`v=DMARC1`, `p=${dmarc.policy}`, ...(reports.length > 0 ? [`rua=${reports.join(",")}`] : [])];
  return { type: "TXT", name: `_dmarc.${domain}`, value: tags.join("; ") };
}

/** The record as it stands in a zone file; an hour is long enough to be cached and short enough to correct a mistake. */
export function zoneLine(record: DnsRecord): string {
  return `${record.name}. 3600 IN ${record.type} ${zoneStrings(record.value)}`;
}

/** A TXT value in zone file form: quoted strings of at most 255 octets (RFC 1035 section 3.3.14, RFC 6376 section 3.6.2.2). */
export function zoneStrings(value: string): string {
  const strings = value.match(/.{1,255}/gs) ?? [""];
  return strings.map((text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(" ");
}

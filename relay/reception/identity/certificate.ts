/**
 * A client's certificate: whose it is, and for how long it stands. Pure.
 *
 * TLS has verified it in the handshake: signatures, times, what it may be used for, which names its authority may sign. A session may
 * be open for days, so what a new bundle of authorities leaves of it is found out here. Revocation lists are not read: whose
 * certificate must not work any more is taken out of the manifest, or its authority is.
 */
import type { X509Certificate } from "node:crypto";
import type { DomainDocument } from "../../../api/relayconfig.ts";
import type { ClientAuthorities } from "../../config/snapshot.ts";

export interface CertificateNames {
  /** Undefined where the subject has none, or several. */
  readonly commonName: string | undefined;
  /** In lower case; one with a wildcard is a pattern, and nobody's name. */
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}

export interface ClientCertificate {
  readonly names: CertificateNames;
  readonly leaf: X509Certificate;
  /** What leads from it to an authority, as far as the client sent that along. */
  readonly others: readonly X509Certificate[];
}

/** Longer paths are found nowhere, and each more costs whoever is sent a bundle made to have many. */
const mostOthers = 4;

export function certificateOf(leaf: X509Certificate, others: readonly X509Certificate[]): ClientCertificate {
  return { names: namesOf(leaf), leaf, others: others.slice(0, mostOthers) };
}

function namesOf(leaf: X509Certificate): CertificateNames {
  const commonName: unknown = leaf.toLegacyObject().subject.CN;
  const alternatives = alternativeNames(leaf.subjectAltName ?? "");
  const named = (kind: string): string[] => alternatives.flatMap(([of, name]) => (of === kind ? [name] : []));
  return {
    commonName: typeof commonName === "string" ? commonName : undefined,
    dnsNames: named("DNS").flatMap((name) => (name.includes("*") ? [] : [name.toLowerCase()])),
    uris: named("URI"),
  };
}

/** Node puts a name that holds a comma or a quotation mark in quotation marks, as JSON does. */
const alternativeName = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/** None where one cannot be told from the next: whoever has a say in one of them must not write another. */
function alternativeNames(text: string): readonly (readonly [kind: string, name: string])[] {
  const names: [string, string][] = [];
  alternativeName.lastIndex = 0;
  for (let at = 0; at < text.length; at = alternativeName.lastIndex) {
    const [, kind, value] = alternativeName.exec(text) ?? [];
    if (kind === undefined || value === undefined) return [];
    names.push([kind, value.startsWith('"') ? String(JSON.parse(value)) : value]);
  }
  return names;
}

/** Whether the certificate is one of those that a domain names among its senders. */
export function isNamed(
  names: CertificateNames,
  senders: Pick<DomainDocument["senders"], "clientCertificates" | "certificateNames">,
): boolean {
  return nameAmong(names, senders) !== undefined;
}

/** The name by which it is one of them; of several the first that the manifest has, so that its holder has no say in which. */
export function nameAmong(
  names: CertificateNames,
  senders: Pick<DomainDocument["senders"], "clientCertificates" | "certificateNames">,
): string | undefined {
  const { dnsNames, uris } = senders.certificateNames ?? { dnsNames: [], uris: [] };
  return (
    senders.clientCertificates.find(({ commonName }) => commonName === names.commonName)?.commonName ??
    dnsNames.find((name) => names.dnsNames.includes(name)) ??
    uris.find((uri) => names.uris.includes(uri) && (!isSpiffe(uri) || names.uris.length === 1))
  );
}

/** X509-SVID section 2: a certificate with another URI beside a SPIFFE ID is none of SPIFFE's. */
function isSpiffe(uri: string): boolean {
  return uri.startsWith("spiffe:");
}

/** Whether the holder may call itself so (RFC 4422 appendix A.1). */
export function isCalled({ commonName, dnsNames, uris }: CertificateNames, name: string): boolean {
  return name === commonName || dnsNames.includes(name.toLowerCase()) || uris.includes(name);
}

/** To be told from others by, where one name has to do. */
export function firstNameOf({ commonName, dnsNames, uris }: CertificateNames): string {
  return uris[0] ?? commonName ?? dnsNames[0] ?? "";
}

/** Whether one of the authorities vouches for it at the time, by itself or by what the client sent along. */
export function stands(
  { leaf, others }: ClientCertificate,
  authorities: ClientAuthorities | undefined,
  at: number,
): boolean {
  if (authorities === undefined) return false;
  const known = ends.get(authorities) ?? new WeakMap<X509Certificate, number>();
  ends.set(authorities, known);
  const end = known.get(leaf) ?? endOf(leaf, others, authorities.certificates);
  known.set(leaf, end);
  return at < end;
}

/** A path is looked for once a session and bundle: each step is a signature to verify, and each message asks several times. */
const ends = new WeakMap<ClientAuthorities, WeakMap<X509Certificate, number>>();

/** When the path to an authority ends that lasts the longest, in ms since the epoch; 0 where there is none. */
function endOf(
  certificate: X509Certificate,
  others: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): number {
  const by = (issuer: X509Certificate): boolean => isIssuedBy(certificate, issuer);
  const direct = authorities.filter(by).map((authority) => authority.validToDate.getTime());
  const through = others
    .filter((other) => other.ca && by(other))
    .map((other) =>
      endOf(
        other,
        others.filter((each) => each !== other),
        authorities,
      ),
    );
  return Math.min(certificate.validToDate.getTime(), Math.max(0, ...direct, ...through));
}

/** By its name and by its signature: a name alone can be written by anybody. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

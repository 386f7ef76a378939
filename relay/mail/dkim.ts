/**
 * DKIM signatures (RFC 6376, RFC 8463) as bytes: which fields are signed, what is hashed, how the field looks.
 *
 * Pure: no key comes near. relaxed/relaxed throughout, because next hops refold headers. No l= (it would let others add
 * to the body), no i= and no x=. It cannot fail: any header has a canonical form.
 */
import { repeatedFields } from "./limit.ts";

/**
 * Listed once more than they occur (RFC 6376 section 5.4.2 and 8.15), so that a field that is added breaks the signature: they
 * decide who a message is from and to, what it says it is and how its body is read.
 */
const overSigned = ["From", "To", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type"] as const;

/** RFC 6376 section 5.4.1, lower case. Trace fields never: hops change them. */
const signedNames: ReadonlySet<string> = new Set([
  "from",
  "sender",
  "reply-to",
  "to",
  "cc",
  "subject",
  "date",
  "message-id",
  "in-reply-to",
  "references",
  "mime-version",
  "content-type",
  "content-transfer-encoding",
  "content-id",
  "content-description",
  "content-language",
  // RFC 2369, 2919 and 8058, which wants them signed.
  "list-id",
  "list-help",
  "list-subscribe",
  "list-unsubscribe",
  "list-unsubscribe-post",
  "list-post",
  "list-owner",
  "list-archive",
  // RFC 5322 section 3.6.6, but for Resent-Bcc, which does not leave.
  "resent-date",
  "resent-from",
  "resent-sender",
  "resent-reply-to",
  "resent-to",
  "resent-cc",
  "resent-message-id",
]);

export interface SignedHeader {
  /** Field names in the order they are signed, as h= lists them: those that are over-signed once more than they are there. */
  readonly names: readonly string[];
  /** The canonical fields in that order, each with its CRLF. Latin-1: one character a byte. */
  readonly canonical: string;
}

/**
 * Picks the fields to sign from a header (fields with their CRLFs, no empty line).
 * Several fields of one name are taken from the bottom up, as a verifier will (RFC 6376 section 5.4.2), and no more of them
 * than a message may have when it is accepted, so that no header makes a signature long.
 */
export function selectHeader(header: Buffer): SignedHeader {
  const signed: SignedField[] = [];
  let canonical = "";
  for (const field of splitFields(header.toString("latin1")).toReversed()) {
    const colon = field.indexOf(":");
    if (colon <= 0) continue;
    const name = field.slice(0, colon).trimEnd();
    const key = name.toLowerCase();
    if (!signedNames.has(key)) continue;
    // As many may be of one name; only a header of more than that can have too many of it.
    if (signed.length >= repeatedFields && isSurplus(signed, key)) continue;
    signed.push({ name, key });
    canonical += `${relaxField(field)}\r\n`;
  }
  // One listed once more where some are left out would stand for one of those.
  const once =
    signed.length < repeatedFields ? overSigned : overSigned.filter((name) => !isSurplus(signed, name.toLowerCase()));
  return { names: [...signed.map((each) => each.name), ...once], canonical };
}

interface SignedField {
  readonly name: string;
  /** Lower case. */
  readonly key: string;
}

function isSurplus(signed: readonly SignedField[], key: string): boolean {
  return signed.filter((each) => each.key === key).length >= repeatedFields;
}

function splitFields(header: string): string[] {
  // RFC 5322 section 2.2.3: a line end followed by white space folds.
  return header.split(/\r\n(?![ \t])/).filter((field) => field !== "");
}

const foldedOrSpaced = /\r\n|\t| {2}/;

/** RFC 6376 section 3.4.2, without the CRLF at the end. */
export function relaxField(field: string): string {
  const colon = field.indexOf(":");
  const name = field.slice(0, colon).trimEnd().toLowerCase();
  const written = field.slice(colon + 1);
  // Most values are as they should be: to see that costs a quarter of making them anew.
  const value = foldedOrSpaced.test(written) ? written.replaceAll("\r\n", "").replace(/[\t ]+/g, " ") : written;
  return `${name}:${trimSpaces(value)}`;
}

/** SP only: trim() would also take bytes that are no white space to DKIM, such as NBSP. */
function trimSpaces(value: string): string {
  const from = value.startsWith(" ") ? 1 : 0;
  return value.slice(from, value.endsWith(" ") && value.length > from ? -1 : undefined);
}

export interface SignatureFacts {
  readonly header: SignedHeader;
  /** Base64 SHA-256 of the relaxed body. */
  readonly bodyHash: string;
  /** A-label. */
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: "rsa-sha256" | "ed25519-sha256";
  /** Seconds since the epoch. */
  readonly signedAt: number;
}

export interface UnsignedSignature {
  /** The field up to and including `b=`, folded, without line end. */
  readonly field: string;
  /** What the key signs; with Ed25519 its SHA-256 (RFC 8463 section 3). */
  readonly bytes: Buffer;
}

/** The DKIM-Signature field with an empty b= and the bytes to sign (RFC 6376 section 3.7). */
export function prepareSignature(facts: SignatureFacts): UnsignedSignature {
  const field = fold([
    "DKIM-Signature: v=1;",
    ` a=${facts.algorithm};`,
    " c=relaxed/relaxed;",
    ` d=${facts.domain};`,
    ` s=${facts.selector};`,
    ` t=${facts.signedAt};`,
    ...headerList(facts.header.names),
    ` bh=${facts.bodyHash};`,
    "\r\n b=",
  ]);
  return { field, bytes: Buffer.from(facts.header.canonical + relaxField(field), "latin1") };
}

/** The finished field with its CRLF. RFC 6376 section 3.5: white space inside b= is ignored. */
export function completeSignature(unsigned: UnsignedSignature, signature: Buffer): string {
  const lines = signature.toString("base64").match(/.{1,72}/g) ?? [];
  return `${unsigned.field}${lines.join("\r\n ")}\r\n`;
}

function headerList(names: readonly string[]): string[] {
  const last = names.length - 1;
  return names.map((name, index) => `${index === 0 ? " h=" : ""}${name}${index === last ? ";" : ":"}`);
}

/** Joins parts into lines of at most 78 characters (RFC 5322 section 2.1.1); only a longer part makes a longer line. */
function fold(parts: readonly string[]): string {
  let text = "";
  let column = 0;
  for (const part of parts) {
    if (part.startsWith("\r\n")) {
      text += part;
      column = part.length - 2;
    } else if (column > 0 && column + part.length > 78) {
      const rest = part.startsWith(" ") ? part : ` ${part}`;
      text += `\r\n${rest}`;
      column = rest.length;
    } else {
      text += part;
      column += part.length;
    }
  }
  return text;
}

/**
 * What the header of a message or of a part says about its body (RFC 2045 section 5 and 6). It cannot fail: what cannot be
 * read makes a body that is left as it is.
 */
import { isSealed } from "../fields/outgoing.ts";
import { fieldsNamed, fieldValue, type Header } from "../header.ts";

export type Entity =
  | { readonly kind: "multipart"; readonly boundary: string; readonly digest: boolean }
  /** message/rfc822 and its like: a header and a body of its own follow. */
  | { readonly kind: "message" }
  /** `literal` is 7bit, 8bit and binary: the octets as they are. */
  | { readonly kind: "leaf"; readonly encoding: "literal" | "quoted-printable" | "base64" }
  /** Signed, or of a kind that may not be encoded, or not understood: nobody but its reader touches it. */
  | { readonly kind: "sealed" };

const sealed: Entity = { kind: "sealed" };
const nested: ReadonlySet<string> = new Set(["message/rfc822", "message/global", "message/news"]);
/** RFC 1847, RFC 8551 section 3.4 and RFC 3156: a signature covers the octets as they were encoded. */
const signed = /^(?:multipart\/(?:signed|encrypted)|application\/(?:x-)?pkcs7-(?:mime|signature))$/;

export type DefaultType = "text/plain" | "message/rfc822";

export function entityOf(header: Header, defaultType: DefaultType): Entity {
  const value = lastValue(header, "content-type");
  const type = value === undefined ? defaultType : typeOf(value);
  if (isSealed(header) || signed.test(type)) return sealed;
  const encoding = (lastValue(header, "content-transfer-encoding") ?? "7bit")
    .replace(/\([^()]*\)/g, "")
    .trim()
    .toLowerCase();
  // RFC 2045 section 6.4 forbids these for composite types; where they stand nevertheless, they are how it is read.
  if (encoding === "base64" || encoding === "quoted-printable") return { kind: "leaf", encoding };
  if (!["7bit", "8bit", "binary", ""].includes(encoding)) return sealed;
  if (nested.has(type)) return { kind: "message" };
  if (type.startsWith("multipart/")) {
    const boundary = boundaryOf(value ?? "");
    return boundary === undefined ? sealed : { kind: "multipart", boundary, digest: type === "multipart/digest" };
  }
  // RFC 2046 section 5.2.2 and 5.2.3, RFC 3464 section 2.1: other messages are 7bit and stay it.
  return type.startsWith("message/") ? sealed : { kind: "leaf", encoding: "literal" };
}

/** Of two the last, as most readers do. */
function lastValue(header: Header, name: string): string | undefined {
  const field = fieldsNamed(header, name).at(-1);
  return field === undefined ? undefined : fieldValue(header, field);
}

/** RFC 2045 section 5.2: what is no type is plain text. */
function typeOf(value: string): string {
  const found = /^\s*(?:\([^()]*\)\s*)*([^\s;/()]+\/[^\s;()]+)/.exec(value)?.[1];
  return found === undefined ? "text/plain" : found.toLowerCase();
}

/** One character an octet. RFC 2231 has no use for boundaries: they are ASCII and short. */
function boundaryOf(value: string): string | undefined {
  const found = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"()]+))/i.exec(value);
  const written = found?.[1]?.replace(/\\(.)/g, "$1") ?? found?.[2];
  // RFC 2046 section 5.1.1: white space at its end is no part of it.
  const boundary = written === undefined ? "" : Buffer.from(written, "utf8").toString("latin1").trimEnd();
  return boundary === "" || boundary.length > 200 ? undefined : boundary;
}

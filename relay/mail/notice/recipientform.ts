/**
 * Recipient addresses as ORCPT and the fields of a notice write them: xtext (RFC 3461 section 4) and the forms that RFC 6533
 * section 3 gives to addresses outside ASCII. Pure. What is malformed is shown with what it holds, never thrown away.
 */
import { isAscii, shown, type Charset } from "./text.ts";

/** The address type and the address, with the decoding undone that the way needed. */
interface TypedAddress {
  readonly type: string;
  readonly address: string;
}

/** RFC 3461 section 4: `+` and two hex digits stand for an octet. */
export function decodeXtext(xtext: string): string {
  return xtext.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The value of Final-Recipient: `rfc822; a@example.org`. */
export function finalRecipient(address: string, charset: Charset): string {
  return written({ type: isAscii(address) ? "rfc822" : "utf-8", address }, charset);
}

/** The value of Original-Recipient from an ORCPT as received: the type stays, the address is given back decoded. */
export function originalRecipient(orcpt: string, charset: Charset): string {
  const semicolon = orcpt.indexOf(";");
  const type = semicolon === -1 ? "rfc822" : shown(orcpt.slice(0, semicolon), "ascii");
  const address = decodeXtext(orcpt.slice(semicolon + 1));
  return written({ type, address: isUtf8Type(type) ? decodeUnitext(address) : address }, charset);
}

/**
 * An ORCPT for a transaction without SMTPUTF8: octets outside ASCII become `\x{HEX}`, which is xtext already
 * (RFC 6533 section 3, utf-8-addr-xtext). Anything else goes on as it came.
 */
export function asciiOrcpt(orcpt: string): string {
  return orcpt.replace(/[^\0-\x7f]/gu, embedded);
}

function written({ type, address }: TypedAddress, charset: Charset): string {
  if (!isUtf8Type(type)) return `${type}; ${shown(address, "ascii")}`;
  const safe = shown(address, "utf-8", embedded);
  // RFC 6533 section 3: a report for SMTPUTF8 shows the address itself, one for 7-bit ways encodes all that is not QCHAR.
  return `${type}; ${charset === "utf-8" ? safe : address.replace(/[^!-*,-<>-[\]-~]/gu, embedded)}`;
}

function isUtf8Type(type: string): boolean {
  return type.toLowerCase() === "utf-8";
}

/** RFC 6533 section 3, EmbeddedUnicodeChar: upper-case digits, two at least; half a surrogate pair is no character. */
function embedded(character: string): string {
  if (/\p{Cs}/u.test(character)) return "?";
  return `\\x{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, "0")}}`;
}

function decodeUnitext(text: string): string {
  return text.replace(/\\x\{([0-9A-F]{2,6})\}/g, (whole, hex: string) => {
    const point = Number.parseInt(hex, 16);
    return point > 0x10ffff ? whole : String.fromCodePoint(point);
  });
}

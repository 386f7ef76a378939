/**
 * Mail addresses as SMTP writes them (RFC 5321 section 4.1.2, RFC 6531 section 3.3): local part kept as given, domain as
 * A-label in lower case. What cannot be read is undefined, never a guess.
 */
import { addressOctets } from "./limit.ts";

export interface Address {
  /** `local@domain`, the local part as it was written (quotes included), the domain as A-label. */
  readonly address: string;
  readonly local: string;
  readonly domain: string;
  /** False when the local part or the domain as written needs SMTPUTF8 (RFC 6531 section 3.3). */
  readonly ascii: boolean;
}

const asciiOnly = /^[\x20-\x7e]*$/;
const hostName = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const ipv4Literal = /^\[\d{1,3}(?:\.\d{1,3}){3}\]$/;
const ipv6Literal = /^\[ipv6:[0-9a-f:.]{2,45}\]$/;
// Dots may stand anywhere: addresses like `name.@example.jp` exist, and refusing them is the next hop's business.
const dotString = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u0080-\u{10ffff}-]+$/u;
const quotedString = /^"(?:[^"\\\p{Cc}]|\\[\x20-\x7e])*"$/u;
/**
 * Characters that nobody sees, that end a line for some readers (U+0085, U+2028) or turn the direction of what follows
 * (RFC 8264 section 9.13 and 9.14 bar them from identifiers), and white space beyond SP.
 */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/u;
/** As `unseen`, but for the two joiners, which IDNA allows where a script needs them (RFC 5892 appendix A). */
const unseenInDomain = /[^\P{Cf}\u200c\u200d]/u;
const meaningful = /[@<>,;:()[\]\\". ]/;

/** The domain of an address in lower case; "" for the null path. An address that went through parseAddress has an A-label. */
export function domainOf(address: string): string {
  const at = address.lastIndexOf("@");
  if (at === -1) return "";
  const domain = address.slice(at + 1);
  // Asked many times for each recipient, nearly always of a domain that is an A-label already.
  const label = asciiOnly.test(domain) ? undefined : asciiDomain(domain);
  return label ?? domain.toLowerCase();
}

/** The A-label form (RFC 5890 section 2.3.2.1) of a domain or address literal, or undefined when it is neither. */
export function asciiDomain(domain: string): string | undefined {
  if (asciiOnly.test(domain)) {
    const lower = domain.toLowerCase();
    return hostName.test(lower) || ipv4Literal.test(lower) || ipv6Literal.test(lower) ? lower : undefined;
  }
  // Characters that URLs give a meaning would end the host early and yield another domain.
  if (unseenInDomain.test(domain)) return undefined;
  if (/[\p{Cc}\p{Cs}\s/\\?#@:%[\]<>^|]/u.test(domain) || domain.includes("\ufffd")) return undefined;
  const url = URL.parse(`http://${domain}/`);
  return url !== null && hostName.test(url.hostname) ? url.hostname : undefined;
}

/** Reads `local@domain`; undefined when either half is missing or malformed. */
export function parseAddress(text: string): Address | undefined {
  const at = text.lastIndexOf("@");
  const local = text.slice(0, Math.max(at, 0));
  if (local === "" || text.includes("\ufffd")) return undefined;
  if (!dotString.test(local) && !quotedString.test(local)) return undefined;
  if (!asciiOnly.test(local) && !isVisible(local)) return undefined;
  const written = text.slice(at + 1);
  const domain = asciiDomain(written);
  if (domain === undefined) return undefined;
  const address = `${local}@${domain}`;
  if (Buffer.byteLength(address) > addressOctets) return undefined;
  return { address, local, domain, ascii: asciiOnly.test(text) };
}

/** Nothing that is unseen, and no other form of a character that has a meaning, such as the fullwidth U+FF20 of `@`. */
function isVisible(local: string): boolean {
  if (unseen.test(local)) return false;
  const foreign = local.replace(/[\x20-\x7e]/g, "");
  return !meaningful.test(foreign.normalize("NFKC"));
}

/** For people: the character itself where every terminal shows it, its code point otherwise. */
export function nameOfCharacter(character: string): string {
  if (/^[\x21-\x7e]$/.test(character)) return character;
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Quoting (RFC 5322 section 3.2.4) makes letters of them, and there are readers that split at them nevertheless. */
const quotedSpecial = /^".*?([@<>,;:()[\]\\"]).*"$/;

/** Why an address must not say who a message is from: what one reader takes for a letter another takes for the end of the address. */
export function quotedSpecialIn({ local }: Address): string | undefined {
  const [, special] = quotedSpecial.exec(local) ?? [];
  return special === undefined
    ? undefined
    : `a quoted ${special} in the local part, which readers take for more than a letter`;
}

/** RFC 5321 section 4.1.2: quotes that are not needed do not make another mailbox. */
function unquoted(local: string): string {
  return local.startsWith('"') ? local.slice(1, -1).replace(/\\(.)/g, "$1") : local;
}

/**
 * Whether a local part fits one of the patterns, in which `*` stands for any run of characters. Letter case does not
 * count: nobody means two people by Orders@ and orders@.
 */
export function matchesLocalPart(patterns: readonly string[], local: string): boolean {
  const wanted = unquoted(local).toLowerCase();
  return patterns.some((pattern) => matchesGlob(pattern.toLowerCase(), wanted));
}

/** Leftmost match of each piece in turn: linear, where a regular expression of many `*` would backtrack. */
function matchesGlob(pattern: string, text: string): boolean {
  const pieces = pattern.split("*");
  const first = pieces[0] ?? "";
  if (pieces.length === 1) return text === first;
  const last = pieces[pieces.length - 1] ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return at <= text.length - last.length;
}

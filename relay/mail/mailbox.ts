/**
 * The mailboxes of an address field such as From (RFC 5322 section 3.4).
 *
 * The domain found here decides whose key signs, so anything that two readers could read in two ways is a fault and not a
 * guess: routes, white space or comments inside an address, a display name with an unquoted @, text after the closing
 * bracket. What is refused is held against other people's parsers by test/scenario/no-parser-reads-another-sender.test.ts.
 * A fault says which character is wrong and what to write instead; it never repeats what the field holds.
 */
import { nameOfCharacter, parseAddress, quotedSpecialIn, type Address } from "./address.ts";

export interface MailboxFault {
  readonly kind: "fault";
  readonly reason: string;
}

export interface MailboxList {
  readonly kind: "mailboxes";
  readonly mailboxes: readonly Address[];
}

interface Token {
  readonly kind: "word" | "quoted" | "literal" | "special";
  readonly text: string;
  /** What stands before it. */
  readonly gap: "none" | "space" | "comment";
}

const specials = new Set(["<", ">", ",", ":", ";", "@", "."]);
const word = /[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]+/uy;
const quotedString = /"(?:[^"\\]|\\.)*"/suy;
const literal = /\[(?:[^\]\\]|\\.)*\]/suy;
/** What some reader takes for the end of a line, or of the text (RFC 5322 section 4.1 has them obsolete). */
const lineControl = /[^\P{Cc}\t]|[\u2028\u2029]/u;
const example = "<name@domain>";

function fault(reason: string): MailboxFault {
  return { kind: "fault", reason };
}

const notPlain = fault(`the address is malformed: white space or a comment inside it, write ${example}`);

/** Reads the unfolded value of the field. */
export function parseMailboxes(value: string): MailboxList | MailboxFault {
  if (value.includes("\ufffd")) return fault("it is not UTF-8");
  const control = lineControl.exec(value);
  if (control !== null) return fault(`it holds the control character ${nameOfCharacter(control[0])}, leave it out`);
  const tokens = tokenize(value);
  if (!Array.isArray(tokens)) return tokens;
  const elements = elementsOf(tokens);
  const mailboxes: Address[] = [];
  for (const element of elements) {
    if (element.length === 0) continue; // RFC 5322 section 4.4: obsolete lists have empty elements.
    const mailbox = readMailbox(element);
    if (!("kind" in mailbox)) mailboxes.push(mailbox);
    else return elements.length > 1 && isPhrase(element) ? unquoted("comma (,)", "Last, First") : mailbox;
  }
  return mailboxes.length === 0 ? fault("it holds no address") : { kind: "mailboxes", mailboxes };
}

/** What people most often get wrong: a name with a character that has a meaning. */
function unquoted(what: string, name: string): MailboxFault {
  return fault(`a display name with a ${what} must be quoted, write "${name}" ${example}`);
}

function isPhrase(tokens: readonly Token[]): boolean {
  return tokens.every((token) => token.kind === "word" || token.kind === "quoted" || isSpecial(token, "."));
}

function tokenize(value: string): Token[] | MailboxFault {
  const tokens: Token[] = [];
  let at = 0;
  let gap: Token["gap"] = "none";
  while (at < value.length) {
    const character = value.charAt(at);
    if (character === " " || character === "\t") {
      if (gap === "none") gap = "space";
      at += 1;
    } else if (character === "(") {
      const end = value.indexOf(")", at);
      if (end === -1) return fault("a comment that begins with ( is not closed, write ) or quote the name");
      // Comments nest (RFC 5322 section 3.2.2), and there are readers for which the first ) ends them all.
      const nested = /[(\\]/.exec(value.slice(at + 1, end));
      if (nested !== null) return fault(`a ${nested[0]} within a comment, quote the name instead`);
      gap = "comment";
      at = end + 1;
    } else {
      const token = tokenAt(value, at);
      if (!("text" in token)) return token;
      tokens.push({ ...token, gap });
      gap = "none";
      at += token.text.length;
    }
  }
  return tokens;
}

function tokenAt(value: string, at: number): Pick<Token, "kind" | "text"> | MailboxFault {
  const character = value.charAt(at);
  if (specials.has(character)) return { kind: "special", text: character };
  if (character === '"') {
    const text = matchAt(quotedString, value, at);
    return text === undefined ? fault('a quoted string (") is not closed') : { kind: "quoted", text };
  }
  if (character === "[") {
    const text = matchAt(literal, value, at);
    return text === undefined ? fault("a literal ([) is not closed") : { kind: "literal", text };
  }
  const text = matchAt(word, value, at);
  if (text !== undefined) return { kind: "word", text };
  return unquoted(nameOfCharacter(String.fromCodePoint(value.codePointAt(at) ?? 0)), "Name");
}

function matchAt(pattern: RegExp, value: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(value)?.[0];
}

function isSpecial(token: Token | undefined, text: string): boolean {
  return token?.kind === "special" && token.text === text;
}

/** Splits at the commas outside angle brackets. */
function elementsOf(tokens: readonly Token[]): Token[][] {
  const elements: Token[][] = [[]];
  let inside = false;
  for (const token of tokens) {
    if (isSpecial(token, "<")) inside = true;
    if (isSpecial(token, ">")) inside = false;
    if (isSpecial(token, ",") && !inside) elements.push([]);
    else elements.at(-1)?.push(token);
  }
  return elements;
}

function readMailbox(tokens: readonly Token[]): Address | MailboxFault {
  const open = tokens.findIndex((token) => isSpecial(token, "<"));
  const before = open === -1 ? tokens : tokens.slice(0, open);
  const separator = before.find((token) => isSpecial(token, ":") || isSpecial(token, ";"));
  if (separator !== undefined) return misplaced(tokens, separator.text);
  if (open === -1) return readAddrSpec(tokens);
  const close = tokens.findIndex((token) => isSpecial(token, ">"));
  if (close !== tokens.length - 1) return fault(`the angle brackets do not match, write one ${example}`);
  const [first, ...rest] = tokens.slice(open + 1, close);
  // RFC 5322 section 4.4 has `<@a,@b:c@d>`, which some read as c@d and others as what stands behind a comma.
  if (isSpecial(first, "@")) return fault(`a route (@host:) must not stand before the address, write ${example}`);
  if (first?.gap === "comment" || tokens[close]?.gap === "comment") return notPlain;
  const address = readAddrSpec(first === undefined ? [] : [first, ...rest]);
  return "kind" in address ? address : (displayNameFault(before, address) ?? address);
}

function displayNameFault(name: readonly Token[], address: Address): MailboxFault | undefined {
  const bare = name.filter((token) => token.kind !== "quoted");
  const holds = (pattern: RegExp): boolean => bare.some((token) => pattern.test(token.text));
  if (holds(/[@>]/) && !isSame(name, address)) return unquoted("@ that is not its address", "Name");
  // A literal is no part of a name (RFC 5322 section 3.2.5). Readers pass over it, unless they begin to guess.
  const guessed = holds(/=\?/) || bare.length < name.length;
  return holds(/^\[/) && guessed ? unquoted("[ beside quotes or an encoded word", "[Name]") : undefined;
}

/** `app@example.com <app@example.com>`: not allowed (RFC 5322 section 3.4), often seen, and of one meaning. */
function isSame(name: readonly Token[], address: Address): boolean {
  const read = readAddrSpec(name);
  return !("kind" in read) && read.address === address.address && name.every((token) => token.kind !== "quoted");
}

/** RFC 6854 allows groups in From; a group has no domain that could answer for the message. */
function misplaced(tokens: readonly Token[], character: string): MailboxFault {
  if (character === ";" && tokens.some((token) => isSpecial(token, "@"))) {
    return fault("a semicolon (;) does not part addresses, write a comma (,)");
  }
  if (tokens.some((token) => isSpecial(token, ";")) || !tokens.some((token) => isSpecial(token, "<"))) {
    return fault(`a colon (:) begins a group, and group syntax has no single sender, write ${example}`);
  }
  return character === ":" ? unquoted("colon (:)", "Shop: News") : unquoted("semicolon (;)", "Name");
}

function readAddrSpec(tokens: readonly Token[]): Address | MailboxFault {
  const at = tokens.findLastIndex((token) => isSpecial(token, "@"));
  if (at <= 0) return fault(`the address has no domain, write ${example}`);
  // RFC 5322 section 4.4 has them there, and readers differ on what they part.
  if (tokens.slice(1).some((token) => token.gap !== "none")) return notPlain;
  const local = joined(tokens.slice(0, at));
  const domain = joined(tokens.slice(at + 1));
  const address = local === undefined || domain === undefined ? undefined : parseAddress(`${local}@${domain}`);
  if (address === undefined) return fault(`the address is malformed, write ${example}`);
  // Encoded words have no place in an address (RFC 2047 section 5), and some readers decode them there.
  if (/=\?/.test(address.local)) return fault(`an encoded word (=?...?=) in an address, write ${example}`);
  const ambiguous = quotedSpecialIn(address);
  return ambiguous === undefined ? address : fault(ambiguous);
}

/** Words and dots in a row; two words side by side are two things, not one. */
function joined(tokens: readonly Token[]): string | undefined {
  let wordBefore = false;
  for (const token of tokens) {
    const isDot = isSpecial(token, ".");
    if ((token.kind === "special" && !isDot) || (!isDot && wordBefore)) return undefined;
    wordBefore = !isDot;
  }
  return tokens.map((token) => token.text).join("");
}

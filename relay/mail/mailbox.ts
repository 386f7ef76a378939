/**
 * The mailboxes of an address field such as From (RFC 5322 section 3.4, obsolete forms of section 4.4 included).
 *
 * The domain found here decides whose key signs, so anything that two readers could read in two ways is a fault and not a
 * guess: a display name with an unquoted @, text after the closing bracket, a missing bracket.
 */
import { parseAddress, type Address } from "./address.ts";

export interface MailboxFault {
  readonly kind: "fault";
  readonly reason: string;
}

export interface MailboxList {
  readonly kind: "mailboxes";
  readonly mailboxes: readonly Address[];
}

type Token =
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "quoted"; readonly text: string }
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "special"; readonly text: string };

const specials = new Set(["<", ">", ",", ":", ";", "@", "."]);
const wordCharacter = /[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\u{10ffff}-]/u;

function fault(reason: string): MailboxFault {
  return { kind: "fault", reason };
}

/** Reads the unfolded value of the field. */
export function parseMailboxes(value: string): MailboxList | MailboxFault {
  if (value.includes("\ufffd")) return fault("it is not UTF-8");
  const tokens = tokenize(value);
  if (!Array.isArray(tokens)) return tokens;
  const mailboxes: Address[] = [];
  for (const element of elementsOf(tokens)) {
    if (element.length === 0) continue; // RFC 5322 section 4.4: obsolete lists have empty elements.
    const mailbox = readMailbox(element);
    if ("kind" in mailbox) return mailbox;
    mailboxes.push(mailbox);
  }
  return mailboxes.length === 0 ? fault("it holds no address") : { kind: "mailboxes", mailboxes };
}

function tokenize(value: string): Token[] | MailboxFault {
  const tokens: Token[] = [];
  const characters = Array.from(value);
  let at = 0;
  while (at < characters.length) {
    const character = characters[at] ?? "";
    if (character === " " || character === "\t") {
      at += 1;
    } else if (character === "(") {
      const end = commentEnd(characters, at);
      if (end === undefined) return fault("a comment is not closed");
      at = end;
    } else if (character === '"' || character === "[") {
      const end = closing(characters, at + 1, character === '"' ? '"' : "]");
      if (end === undefined)
        return fault(character === '"' ? "a quoted string is not closed" : "a literal is not closed");
      tokens.push({ kind: character === '"' ? "quoted" : "literal", text: characters.slice(at, end).join("") });
      at = end;
    } else if (specials.has(character)) {
      tokens.push({ kind: "special", text: character });
      at += 1;
    } else {
      const start = at;
      while (wordCharacter.test(characters[at] ?? "")) at += 1;
      if (at === start) return fault("it holds a character that must be quoted");
      tokens.push({ kind: "word", text: characters.slice(start, at).join("") });
    }
  }
  return tokens;
}

/** Position after the comment that opens at `start`; comments nest (RFC 5322 section 3.2.2). */
function commentEnd(characters: readonly string[], start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < characters.length; at += 1) {
    const character = characters[at];
    if (character === "\\") at += 1;
    else if (character === "(") depth += 1;
    else if (character === ")" && (depth -= 1) === 0) return at + 1;
  }
  return undefined;
}

function closing(characters: readonly string[], start: number, close: string): number | undefined {
  for (let at = start; at < characters.length; at += 1) {
    if (characters[at] === "\\") at += 1;
    else if (characters[at] === close) return at + 1;
  }
  return undefined;
}

function isSpecial(token: Token | undefined, text: string): boolean {
  return token?.kind === "special" && token.text === text;
}

/** Splits at the commas outside angle brackets: those inside belong to an obsolete route. */
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
  // RFC 6854 allows groups in From; a group has no domain that could answer for the message.
  if (before.some((token) => isSpecial(token, ":") || isSpecial(token, ";"))) {
    return fault("group syntax has no single sender");
  }
  if (open === -1) return readAddrSpec(tokens);
  if (before.some((token) => isSpecial(token, ">") || (token.kind !== "quoted" && token.text.includes("@")))) {
    return fault("a display name with @ must be quoted");
  }
  const close = tokens.findIndex((token) => isSpecial(token, ">"));
  if (close !== tokens.length - 1) return fault("the angle brackets do not match");
  const inner = tokens.slice(open + 1, close);
  const colon = inner.findIndex((token) => isSpecial(token, ":"));
  // RFC 5322 section 4.4: an obsolete route `@a,@b:` is accepted and ignored.
  if (colon !== -1 && !isSpecial(inner[0], "@")) return fault("the address is malformed");
  return readAddrSpec(inner.slice(colon + 1));
}

/** addr-spec; white space and comments around its dots are gone already (RFC 5322 section 4.4, obs-local-part). */
function readAddrSpec(tokens: readonly Token[]): Address | MailboxFault {
  const at = tokens.findLastIndex((token) => isSpecial(token, "@"));
  if (at <= 0) return fault("the address has no domain");
  const local = joined(tokens.slice(0, at));
  const domain = joined(tokens.slice(at + 1));
  const address = local === undefined || domain === undefined ? undefined : parseAddress(`${local}@${domain}`);
  return address ?? fault("the address is malformed");
}

/** Words and dots in a row; two words side by side are two things, not one. */
function joined(tokens: readonly Token[]): string | undefined {
  let text = "";
  let wordBefore = false;
  const quoted = tokens.some((token) => token.kind === "quoted");
  for (const token of tokens) {
    const isDot = isSpecial(token, ".");
    if ((token.kind === "special" && !isDot) || (!isDot && wordBefore)) return undefined;
    wordBefore = !isDot;
    text += token.kind === "quoted" ? token.text.slice(1, -1) : token.text;
  }
  return quoted ? `"${text}"` : text;
}

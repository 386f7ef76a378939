/**
 * Fields whose form readers or hosts differ on, written so that they do not: white space before the colon (RFC 5322 section
 * 4.5.8) goes, a continuation line of white space alone (section 4.2), which some take for the end of the header, goes,
 * and a line over 998 octets is folded, because the next host would break it anywhere and our signature with it.
 *
 * What the field says stays the same. A line that offers no place to fold cannot be mended here: undefined.
 */
import type { Header, HeaderField } from "../header.ts";
import { contentLineOctets } from "../limit.ts";

/** Fields that may be folded behind a comma (RFC 5322 section 3.6.2, 3.6.3 and 3.6.6): lists of addresses. */
const addressLists = /^(?:resent-)?(?:from|sender|reply-to|to|cc|bcc)$/;
/** Fields that may be folded between identifiers (RFC 5322 section 3.6.4). */
const identifierLists = /^(?:references|in-reply-to)$/;

/** White space before the colon alone: what is done for a header that is signed, too. */
export function withPlainName(header: Header, field: HeaderField): Buffer {
  const name = header.bytes.subarray(field.start, field.nameEnd);
  return Buffer.concat([name, colon, header.bytes.subarray(field.valueStart, field.end)]);
}

const colon = Buffer.from(":", "latin1");

export function tidyField(header: Header, field: HeaderField): Buffer | undefined {
  return tidyText(withPlainName(header, field).toString("latin1"), field.name);
}

/** `text` is a whole field in Latin-1, one character an octet; `name` is in lower case. */
export function tidyText(text: string, name: string): Buffer | undefined {
  const [first = "", ...rest] = text.split("\r\n");
  const lines = [first, ...rest.filter((line) => /[^ \t]/.test(line))];
  const folded = lines.map((line) => foldLine(line, name));
  if (!folded.every((line) => line !== undefined)) return undefined;
  return Buffer.from(`${folded.join("\r\n")}\r\n`, "latin1");
}

/** Folds where white space is already, then where the field's grammar allows some; lines break as late as they may. */
function foldLine(line: string, name: string): string | undefined {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > contentLineOctets) {
    const end = placeToFold(rest, name);
    if (end === undefined) return undefined;
    pieces.push(rest.slice(0, end));
    rest = /^[ \t]/.test(rest.slice(end, end + 1)) ? rest.slice(end) : ` ${rest.slice(end)}`;
  }
  return [...pieces, rest].join("\r\n");
}

function placeToFold(line: string, name: string): number | undefined {
  const reach = line.slice(0, contentLineOctets + 1);
  // Something must stand before the fold and behind it, or a line of white space alone would be made.
  const space = /^(.*[^ \t])[ \t]+[^ \t]*$/s.exec(reach);
  const before = space?.[1]?.length ?? 0;
  const isPlace = before > 0 && /[^ \t]/.test(line.slice(before));
  // A name alone in its line is taken for an empty field by some, so that such a fold is the last choice.
  if (isPlace && before > name.length + 1) return before;
  return placeInList(reach.slice(0, -1), name) ?? (isPlace ? before : undefined);
}

function placeInList(text: string, name: string): number | undefined {
  if (addressLists.test(name)) return lastComma(text);
  const between = identifierLists.test(name) ? text.lastIndexOf("><") : -1;
  return between === -1 ? undefined : between + 1;
}

/** Behind the last comma that is not quoted. */
function lastComma(text: string): number | undefined {
  let last: number | undefined;
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "\\") at += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (character === "," && !isQuoted) last = at + 1;
  }
  return last;
}

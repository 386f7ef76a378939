/**
 * The header of a message (RFC 5322 section 2.2) as positions in its bytes: fields are found, named and left as they are.
 *
 * Whatever is kept is kept byte for byte, in its order, with its folding. A line that is neither a field nor the
 * continuation of one is a fault with its number: two readers would disagree about where such a header ends.
 */
import { contentLineOctets } from "./limit.ts";

export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  readonly start: number;
  /** Position after the name. */
  readonly nameEnd: number;
  /** Position after the colon. */
  readonly valueStart: number;
  /** Position after the field's last line end. */
  readonly end: number;
  /** Nothing in its form that readers or hosts differ on: see relay/mail/fields/tidy.ts. */
  readonly tidy: boolean;
}

export interface Header {
  readonly kind: "header";
  readonly bytes: Buffer;
  readonly fields: readonly HeaderField[];
}

export interface HeaderFault {
  readonly kind: "fault";
  /** Line of the message, from 1. */
  readonly line: number;
  readonly reason: string;
}

const lineFeed = 0x0a;
const colon = 0x3a;
const space = 0x20;
const tab = 0x09;
const carriageReturn = 0x0d;

/** `bytes` are all lines before the empty one, each with its CRLF; that they are free of bare CR and LF was checked before. */
export function parseHeader(bytes: Buffer): Header | HeaderFault {
  const fields: HeaderField[] = [];
  let name: string | undefined;
  let [start, nameEnd, valueStart] = [0, 0, 0];
  let tidy = true;
  let at = 0;
  for (let line = 1; at < bytes.length; line += 1) {
    const found = bytes.indexOf(lineFeed, at);
    const end = found === -1 ? bytes.length : found + 1;
    if (isSpace(bytes[at])) {
      if (name === undefined) return { kind: "fault", line, reason: "a continuation line continues no field" };
      if (isBlank(bytes, at, end)) tidy = false;
    } else {
      if (name !== undefined) fields.push({ name, start, nameEnd, valueStart, end: at, tidy });
      start = at;
      nameEnd = fieldNameEnd(bytes, at, end);
      const colonAt = afterSpaces(bytes, nameEnd, end);
      if (nameEnd === start || bytes[colonAt] !== colon) {
        return { kind: "fault", line, reason: notAField(bytes.subarray(at, end)) };
      }
      name = bytes.toString("latin1", start, nameEnd).toLowerCase();
      valueStart = colonAt + 1;
      tidy = nameEnd === colonAt;
    }
    if (end - at > contentLineOctets + 2) tidy = false;
    at = end;
  }
  if (name !== undefined) fields.push({ name, start, nameEnd, valueStart, end: bytes.length, tidy });
  return { kind: "header", bytes, fields };
}

/**
 * RFC 5322 section 3.6.8: a name is printable ASCII without the colon. White space behind it (section 4.5.8, obsolete) is
 * no part of it, so that `From :` is the From that it is for most readers.
 */
function fieldNameEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  for (; at < end; at += 1) {
    const octet = bytes[at] ?? 0;
    if (octet === colon || octet <= 0x20 || octet >= 0x7f) break;
  }
  return at;
}

function afterSpaces(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isSpace(bytes[at])) at += 1;
  return at;
}

function isSpace(octet: number | undefined): boolean {
  return octet === space || octet === tab;
}

function isBlankOctet(octet: number | undefined): boolean {
  return isSpace(octet) || octet === carriageReturn || octet === lineFeed;
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  const at = afterSpaces(bytes, start, end);
  return at === end || bytes[at] === carriageReturn;
}

/** What people put before a header, or forget behind it. */
function notAField(line: Buffer): string {
  const text = line.toString("latin1");
  if (text.startsWith("\u00ef\u00bb\u00bf")) return "a byte order mark stands before the field's name, leave it out";
  if (/^>?From /.test(text)) return 'a line of an mbox file ("From ...") is no header field, leave it out';
  if (!text.includes(":")) return "it is no header field (name: value), and an empty line must stand before the body";
  if (text.startsWith(":")) return "it is no header field: no name stands before the colon";
  const octet = /[^\x21-\x7e]/.exec(text.slice(0, text.indexOf(":")))?.[0]?.charCodeAt(0) ?? 0;
  const named = octet === space ? "a space" : `the octet 0x${octet.toString(16).toUpperCase().padStart(2, "0")}`;
  return `it is no header field: ${named} in the field's name`;
}

export function fieldsNamed(header: Header, name: string): readonly HeaderField[] {
  return header.fields.filter((field) => field.name === name);
}

/** Unfolded (RFC 5322 section 2.2.3) and read as UTF-8; bytes that are not become U+FFFD. */
export function fieldValue(header: Header, field: HeaderField): string {
  // trim() would also take what is no white space to mail, such as U+00A0: it belongs to the value.
  let [start, end] = [field.valueStart, field.end];
  while (start < end && isBlankOctet(header.bytes[start])) start += 1;
  while (end > start && isBlankOctet(header.bytes[end - 1])) end -= 1;
  const written = header.bytes.toString("utf8", start, end);
  return written.includes("\r\n") ? written.replace(/\r\n(?=[ \t])/g, "") : written;
}

/** What stands instead of a field, with its line end; nothing (an empty buffer) takes it out. */
export type FieldChanges = ReadonlyMap<HeaderField, Buffer>;

/** The header with its changes and otherwise byte for byte, as few slices as possible. */
export function changedFields(header: Header, changes: FieldChanges): Buffer[] {
  if (changes.size === 0) return header.bytes.length === 0 ? [] : [header.bytes];
  const slices: Buffer[] = [];
  let start = 0;
  for (const field of header.fields) {
    const instead = changes.get(field);
    if (instead === undefined) continue;
    if (field.start > start) slices.push(header.bytes.subarray(start, field.start));
    if (instead.length > 0) slices.push(instead);
    start = field.end;
  }
  if (start < header.bytes.length) slices.push(header.bytes.subarray(start));
  return slices;
}

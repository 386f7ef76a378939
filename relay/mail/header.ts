/**
 * The header of a message (RFC 5322 section 2.2) as positions in its bytes: fields are found, named and left as they are.
 *
 * Whatever is kept is kept byte for byte, in its order, with its folding. A line that is neither a field nor the
 * continuation of one is a fault with its number: two readers would disagree about where such a header ends.
 */

export interface HeaderField {
  /** Lower case. */
  readonly name: string;
  readonly start: number;
  /** Position after the colon. */
  readonly valueStart: number;
  /** Position after the field's last line end. */
  readonly end: number;
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

/** `bytes` are all lines before the empty one, each with its CRLF; that they are free of bare CR and LF was checked before. */
export function parseHeader(bytes: Buffer): Header | HeaderFault {
  const fields: HeaderField[] = [];
  let open: { name: string; start: number; valueStart: number } | undefined;
  let at = 0;
  for (let line = 1; at < bytes.length; line += 1) {
    const found = bytes.indexOf(lineFeed, at);
    const end = found === -1 ? bytes.length : found + 1;
    const first = bytes[at];
    if (first === space || first === tab) {
      if (open === undefined) return { kind: "fault", line, reason: "a continuation line continues no field" };
    } else {
      const nameEnd = fieldNameEnd(bytes, at, end);
      if (nameEnd === undefined)
        return { kind: "fault", line, reason: "it is neither a header field nor a continuation" };
      if (open !== undefined) fields.push({ ...open, end: at });
      open = { name: bytes.toString("latin1", at, nameEnd).toLowerCase(), start: at, valueStart: nameEnd + 1 };
    }
    at = end;
  }
  if (open !== undefined) fields.push({ ...open, end: bytes.length });
  return { kind: "header", bytes, fields };
}

/**
 * RFC 5322 section 3.6.8: a name is printable ASCII without the colon. White space before the colon (section 4.5.8,
 * obsolete) is refused: readers differ on whether such a field counts, and `From :` would be a second From for some.
 */
function fieldNameEnd(bytes: Buffer, start: number, end: number): number | undefined {
  for (let at = start; at < end; at += 1) {
    const octet = bytes[at] ?? 0;
    if (octet === colon) return at > start ? at : undefined;
    if (octet <= 0x20 || octet >= 0x7f) return undefined;
  }
  return undefined;
}

export function fieldsNamed(header: Header, name: string): readonly HeaderField[] {
  return header.fields.filter((field) => field.name === name);
}

/** Unfolded (RFC 5322 section 2.2.3) and read as UTF-8; bytes that are not become U+FFFD. */
export function fieldValue(header: Header, field: HeaderField): string {
  return header.bytes
    .toString("utf8", field.valueStart, field.end)
    .replace(/\r\n(?=[ \t])/g, "")
    .trim();
}

/** The fields whose names are not in `dropped`, as few slices as possible. */
export function keptFields(header: Header, dropped: ReadonlySet<string>): Buffer[] {
  const slices: Buffer[] = [];
  let start = 0;
  for (const field of header.fields) {
    if (!dropped.has(field.name)) continue;
    if (field.start > start) slices.push(header.bytes.subarray(start, field.start));
    start = field.end;
  }
  if (start < header.bytes.length) slices.push(header.bytes.subarray(start));
  return slices;
}

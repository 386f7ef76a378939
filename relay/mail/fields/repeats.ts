/**
 * How often a field may stand in a header. RFC 5322 section 3.6 allows most of them once, and readers differ on which of
 * two they show and check; a signature lists every one. So a repeat that says the same goes, two that differ are refused,
 * and lists of recipients become one list, as section 4.5.3 tells readers to take them.
 */
import { fieldValue, type FieldChanges, type Header, type HeaderField } from "../header.ts";
import { contentLineOctets, headerFields, repeatedFields } from "../limit.ts";
import { tidyText } from "./tidy.ts";

export interface FieldFault {
  readonly kind: "fault";
  readonly reason: string;
}

/** As people write them; RFC 2045 section 3 for those of MIME. From is not here: admission wants exactly one. */
const once = [
  "Sender",
  "Reply-To",
  "Message-ID",
  "In-Reply-To",
  "References",
  "Subject",
  "Date",
  "MIME-Version",
  "Content-Type",
  "Content-Transfer-Encoding",
];
const joined = ["To", "Cc"];
/** A bit for each, so that a header without repeats costs one lookup a field. */
const bits: ReadonlyMap<string, number> = new Map(
  [...once, ...joined].map((name, index) => [name.toLowerCase(), 1 << index]),
);
const written: ReadonlyMap<string, string> = new Map([...once, ...joined].map((name) => [name.toLowerCase(), name]));

/** Names that stand more than once and should not. */
export function repeatedNames(header: Header): ReadonlySet<string> {
  let seen = 0;
  const repeated = new Set<string>();
  for (const { name } of header.fields) {
    const bit = bits.get(name) ?? 0;
    if ((seen & bit) !== 0) repeated.add(name);
    seen |= bit;
  }
  return repeated;
}

/** A header that nobody writes by accident: each field costs every reader after us, and those signed cost octets. */
export function countFault(header: Header): FieldFault | undefined {
  const { length } = header.fields;
  // Below that nothing can be too many.
  if (length <= repeatedFields) return undefined;
  if (length > headerFields)
    return { kind: "fault", reason: `The header has ${length} fields, more than ${headerFields}` };
  const counts = new Map<string, number>();
  for (const { name } of header.fields) counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const [name, count] of counts) {
    if (count > repeatedFields && isBounded(name)) {
      const reason = `The header has ${count} ${written.get(name) ?? name} fields, more than ${repeatedFields}: write one, its entries parted by commas`;
      return { kind: "fault", reason };
    }
  }
  return undefined;
}

export function unfoldable(name: string): string {
  return `The field ${name} has a line of more than ${contentLineOctets} octets and no place to fold it at, write it in several lines`;
}

function isBounded(name: string): boolean {
  return bits.has(name) || name.startsWith("resent-") || name.startsWith("list-");
}

/** What becomes of the fields of one name but those that `gone` takes out already: changes, or why it cannot be. */
export function repeatChanges(
  header: Header,
  name: string,
  gone: FieldChanges,
): ReadonlyMap<HeaderField, Buffer> | FieldFault {
  const fields = header.fields.filter((field) => field.name === name && gone.get(field)?.length !== 0);
  const [first, ...others] = fields;
  const changes = new Map<HeaderField, Buffer>(others.map((field) => [field, Buffer.alloc(0)]));
  if (first === undefined) return changes;
  const values = new Set(fields.map((field) => fieldValue(header, field).replace(/[ \t]+/g, " ")));
  if (values.size === 1) return changes;
  const label = written.get(name) ?? name;
  if (!joined.includes(label)) {
    return { kind: "fault", reason: `The header has ${fields.length} ${label} fields that differ, write one` };
  }
  const lists = fields.map((field) => header.bytes.toString("latin1", field.valueStart, field.end).trim());
  const text = `${label}: ${lists.filter((list) => list !== "").join(",\r\n ")}\r\n`;
  const list = tidyText(text, name);
  return list === undefined ? { kind: "fault", reason: unfoldable(label) } : changes.set(first, list);
}

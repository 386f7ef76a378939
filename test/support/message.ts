/**
 * Messages as octets in a one-to-one encoding, for comparing what was sent with what arrived. Independent of the relay's
 * code.
 */

export interface SplitMessage {
  /** Each with its continuation lines and final CRLF. */
  readonly fields: readonly string[];
  /** From the empty line on, that line included; empty when there is none. */
  readonly rest: string;
}

export function splitMessage(message: Buffer): SplitMessage {
  const text = message.toString("latin1");
  const end = text.startsWith("\r\n") ? 0 : text.indexOf("\r\n\r\n") + 2;
  const hasBody = end >= 2 || text.startsWith("\r\n");
  const header = hasBody ? text.slice(0, end) : text;
  return {
    fields: header.split(/(?<=\r\n)(?![ \t])/).filter((field) => field !== ""),
    rest: hasBody ? text.slice(end) : "",
  };
}

export function fieldName(field: string): string {
  return field.slice(0, field.indexOf(":")).trim().toLowerCase();
}

const removed = new Set(["bcc", "resent-bcc", "return-path"]);
const added = ["dkim-signature", "dkim-signature", "received"];

/** RFC 5322 section 4.5.3: several lists of recipients are read as one. */
function joined(fields: readonly string[]): readonly string[] {
  return fields.flatMap((field) => {
    const name = fieldName(field);
    const same = name === "to" || name === "cc" ? fields.filter((each) => fieldName(each) === name) : [field];
    if (same.length === 1) return [field];
    if (same[0] !== field) return [];
    const lists = same.map((each) => each.slice(each.indexOf(":") + 1).trim());
    return [`${name === "to" ? "To" : "Cc"}: ${lists.join(",\r\n ")}\r\n`];
  });
}

/**
 * What is wrong with a message that went through the relay, compared with what was sent: undefined when nothing but the
 * stated changes happened. Signatures and Received on top; Bcc and the like gone; several To or Cc fields one; Date and
 * Message-ID, when missing, last.
 */
export function unstatedChange(sent: Buffer, arrived: Buffer): string | undefined {
  const before = splitMessage(sent);
  const after = splitMessage(arrived);
  const names = after.fields.map(fieldName);
  if (names.slice(0, 3).join() !== added.join()) return `starts with ${names.slice(0, 3).join()}`;
  const kept = joined(before.fields.filter((field) => !removed.has(fieldName(field))));
  const has = (name: string): boolean => before.fields.some((field) => fieldName(field) === name);
  const missing = ["date", "message-id"].filter((name) => !has(name));
  const tail = names.slice(names.length - missing.length);
  if (tail.join() !== missing.join()) return `ends with ${tail.join()} instead of ${missing.join()}`;
  const between = after.fields.slice(3, after.fields.length - missing.length);
  if (between.join("") !== kept.join("")) return `header changed:\n${between.join("")}instead of\n${kept.join("")}`;
  if (after.rest === before.rest) return undefined;
  // A message that is only a header gets the empty line that ends one.
  return before.rest === "" && after.rest === "\r\n" ? undefined : "body changed";
}

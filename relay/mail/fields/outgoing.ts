/**
 * The header as it leaves: what of the client's goes, what is mended, what is added. Decided while the message arrives, so
 * that whoever is refused hears it; written when the message is complete.
 *
 * Everything else stays byte for byte and in its order. A header that somebody signed (DKIM, ARC) is mended in nothing
 * that a signature covers: it stays as it is, also where it is worse for it.
 */
import { changedFields, fieldValue, type FieldChanges, type Header, type HeaderField } from "../header.ts";
import { formatDate, renderReceived, type ReceivedClauses } from "../received.ts";
import { renderMarks, type MarkField } from "./mark.ts";
import { countFault, repeatChanges, repeatedNames, unfoldable, type FieldFault } from "./repeats.ts";
import { isUsableDate, isUsableMessageId } from "./stamp.ts";
import { tidyField, withPlainName } from "./tidy.ts";

export interface HeaderPlan {
  readonly kind: "plan";
  readonly changes: FieldChanges;
  /** False when it is added. */
  readonly hasDate: boolean;
  /** As it leaves; undefined when it is added. */
  readonly messageId: string | undefined;
}

const nothing = Buffer.alloc(0);

/** Signatures over header and body that a change would break (RFC 6376, RFC 8617 section 4.1.2, RFC 4870). */
const signatures: ReadonlySet<string> = new Set(["dkim-signature", "arc-message-signature", "domainkey-signature"]);

export function isSealed(header: Header): boolean {
  return header.fields.some(({ name }) => signatures.has(name));
}

/** `dropped` are names of fields that never leave as they came, in lower case. */
export function planHeader(header: Header, dropped: ReadonlySet<string>): HeaderPlan | FieldFault {
  const fault = countFault(header);
  if (fault !== undefined) return fault;
  const changes = new Map<HeaderField, Buffer>();
  let hasDate = false;
  let messageId: string | undefined;
  for (const field of header.fields) {
    const { name } = field;
    if (dropped.has(name)) {
      changes.set(field, nothing);
      continue;
    }
    if (!field.tidy) {
      const instead = isSealed(header) ? withPlainName(header, field) : tidyField(header, field);
      if (instead === undefined) return { kind: "fault", reason: unfoldable(labelOf(header, field)) };
      changes.set(field, instead);
    }
    if (name !== "date" && name !== "message-id") continue;
    const value = fieldValue(header, field);
    const isUsable = name === "date" ? isUsableDate(value) : isUsableMessageId(value);
    if (!isUsable && !isSealed(header)) changes.set(field, nothing);
    else if (name === "date") hasDate = true;
    else messageId ??= value;
  }
  const repeats = addRepeatChanges(header, changes);
  return repeats ?? { kind: "plan", changes, hasDate, messageId };
}

function labelOf(header: Header, field: HeaderField): string {
  return header.bytes.toString("latin1", field.start, Math.min(field.nameEnd, field.start + 60));
}

function addRepeatChanges(header: Header, changes: Map<HeaderField, Buffer>): FieldFault | undefined {
  const repeated = repeatedNames(header);
  if (repeated.size === 0 || isSealed(header)) return undefined;
  for (const name of repeated) {
    const repeats = repeatChanges(header, name, changes);
    if ("kind" in repeats) return repeats;
    for (const [field, instead] of repeats) changes.set(field, instead);
  }
  return undefined;
}

export interface Outgoing {
  readonly header: Header;
  readonly plan: HeaderPlan;
  /** What checks say of the message, in their order. */
  readonly marks: readonly MarkField[];
  readonly received: ReceivedClauses;
  /** Of a body that was encoded anew: fields that are written otherwise, and fields that come. */
  readonly encoding?: { readonly changes: FieldChanges; readonly added: Buffer };
}

/**
 * Marks on top (RFC 7208 section 9.1 and RFC 8601 section 4.1: above our own Received), Received, then what was kept, then what RFC
 * 6409 section 8 lets a submission server add.
 */
export function renderOutgoing({ header, plan, marks, received, encoding }: Outgoing): Buffer {
  const changes = encoding === undefined ? plan.changes : new Map([...plan.changes, ...encoding.changes]);
  const parts = [Buffer.from(renderReceived(received), "latin1"), ...changedFields(header, changes)];
  if (marks.length > 0) parts.unshift(renderMarks(marks));
  if (encoding !== undefined) parts.push(encoding.added);
  if (!plan.hasDate) parts.push(Buffer.from(`Date: ${formatDate(received.at)}\r\n`, "latin1"));
  if (plan.messageId === undefined) parts.push(Buffer.from(`Message-ID: ${addedMessageId(received)}\r\n`, "latin1"));
  return Buffer.concat(parts);
}

export function addedMessageId({ id, by }: Pick<ReceivedClauses, "id" | "by">): string {
  return `<${id}@${by}>`;
}

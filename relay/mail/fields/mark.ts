/**
 * Fields that a check puts on top of a message: what it found is the text of a stranger, of a filter, or of both.
 *
 * Nothing in it ends a line, begins another field, makes a line that the next host would break, or needs more than ASCII of it.
 */
import { tidyText } from "./tidy.ts";

export interface MarkField {
  readonly name: string;
  readonly value: string;
}

/** RFC 5322 section 2.2: printable, and no colon. */
const fieldName = /^[!-9;-~]{1,76}$/;

export function isFieldName(name: string): boolean {
  return fieldName.test(name);
}

/** The fields with their line ends, in order. Throws for a name that is none: that is a fault of the check's. */
export function renderMarks(marks: readonly MarkField[]): Buffer {
  return Buffer.concat(marks.map(renderMark));
}

function renderMark({ name, value }: MarkField): Buffer {
  if (!isFieldName(name)) throw new Error(`a check adds a field with an impossible name: ${JSON.stringify(name)}`);
  const text = value
    .replace(/\p{Cc}+/gu, " ")
    .replace(/[^ -~]/gu, "?")
    .trim();
  return tidyText(`${name}: ${text}`, name.toLowerCase()) ?? Buffer.from(`${name}: (too long)\r\n`, "latin1");
}

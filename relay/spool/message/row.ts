/**
 * Messages and recipients as rows of tables, whoever keeps them. Who reads rows sets one aside that cannot be read (see
 * UnreadableRowError) and goes on with the next.
 */
import {
  count,
  flag,
  text,
  UnreadableRowError,
  wrongType,
  type ColumnValue,
  type Field,
  type Fields,
  type ValuesOf,
} from "./field.ts";
import { isSpoolId, type SpoolId } from "./id.ts";
import { messageFields, scheduledFields, type ScheduledRecipient } from "./message.ts";
import type { StoredMessage } from "./stored.ts";

export type Row = Readonly<Record<string, ColumnValue>>;

/** The columns of a list of fields, in its order. */
class Columns<F extends Fields> {
  readonly names: readonly string[];
  /** As a table is made of them. */
  readonly declarations: readonly string[];
  readonly #fields: readonly (readonly [string, Field<unknown>])[];

  constructor(fields: F) {
    this.#fields = Object.entries(fields);
    this.names = this.#fields.map(([, { column }]) => column);
    this.declarations = this.#fields.map(([, { column, declaration }]) => `${column} ${declaration}`);
  }

  write(values: ValuesOf<F>): ColumnValue[] {
    const named = values as Readonly<Record<string, unknown>>;
    return this.#fields.map(([name, field]) => field.write(named[name]));
  }

  read(row: Row): ValuesOf<F> {
    const named: Record<string, unknown> = {};
    for (const [name, field] of this.#fields) {
      const value = field.read(row[field.column]);
      if (value !== undefined) named[name] = value;
    }
    return named as ValuesOf<F>;
  }
}

export const messageColumns = new Columns(messageFields);
export const recipientColumns = new Columns(scheduledFields);

/** What a message consists of stands behind its facts, the octets last: a fact is read without them. */
export const contentColumns = ["header_bytes", "body_bytes", "body_file", "content"];

export function insertInto(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(",")})`;
}

/** For the columns `id`, those of messageColumns and contentColumns. */
export function messageRow(message: StoredMessage): ColumnValue[] {
  const { id, headerBytes, bodyBytes, bodyFile, content } = message;
  return [id, ...messageColumns.write(message), headerBytes, bodyBytes, Number(bodyFile), content];
}

export function messageIn(row: Row): StoredMessage {
  const [headerBytes, bodyBytes] = [numberIn(row, "header_bytes"), numberIn(row, "body_bytes")];
  const bodyFile = flag.read(row["body_file"] ?? null, "body_file");
  const content = row["content"] ?? null;
  if (!(content instanceof Uint8Array)) throw wrongType("content", content);
  if (content.length !== headerBytes + (bodyFile ? 0 : bodyBytes)) {
    throw new UnreadableRowError("column content is not as long as header_bytes and body_bytes say");
  }
  return { id: idIn(row), ...messageColumns.read(row), headerBytes, bodyBytes, bodyFile, content };
}

export function recipientIn(row: Row): ScheduledRecipient {
  return recipientColumns.read(row);
}

/** The brand is restored here, where an id comes back from disk; it becomes the name of a file. */
export function idIn(row: Row): SpoolId {
  const id = textIn(row, "id");
  if (!isSpoolId(id)) throw new UnreadableRowError("column id holds no spool id");
  return id;
}

export function textIn(row: Row, column: string): string {
  return text.read(row[column] ?? null, column);
}

function numberIn(row: Row, column: string): number {
  return count.read(row[column] ?? null, column);
}

/**
 * Kinds of fields: how a value stands in a column of the spool's tables, and how it travels to another pod. Which fields there
 * are is said in message.ts alone.
 *
 * What stands in a column was written by us, so a value that is none of ours means a damaged file, or a row of a version that we
 * do not know: UnreadableRowError says which column, never its value, which may be somebody's address.
 */
import { z } from "zod";

export type ColumnValue = string | number | bigint | null | Uint8Array;

export class UnreadableRowError extends Error {
  override readonly name = "UnreadableRowError";
}

/** One kind of value, where there is one. */
export interface Kind<T> {
  readonly type: "TEXT" | "INTEGER";
  write(value: T): string | number;
  /** Throws UnreadableRowError. */
  read(value: ColumnValue, column: string): T;
  readonly wire: z.ZodType<T>;
}

type Presence = "always" | "sometimes";

export interface Field<T, P extends Presence = Presence> {
  readonly column: string;
  readonly presence: P;
  /** What follows the column's name where its table is made. */
  readonly declaration: string;
  write(value: T | undefined): ColumnValue;
  /** Undefined where the message has none. The tables of an older spool may lack the column. */
  read(value: ColumnValue | undefined): T | undefined;
  readonly wire: z.ZodType<T>;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

export type ValuesOf<F extends Fields> = {
  readonly [K in keyof F as F[K] extends Field<unknown, "always"> ? K : never]: z.infer<F[K]["wire"]>;
} & {
  readonly [K in keyof F as F[K] extends Field<unknown, "always"> ? never : K]?: z.infer<F[K]["wire"]>;
};

/** A field that every message has, and has had since the first release: a later one would be missing in what older ones write. */
export function always<T>(column: string, kind: Kind<T>): Field<T, "always"> {
  return {
    column,
    presence: "always",
    declaration: `${kind.type} NOT NULL`,
    write: (value) => (value === undefined ? null : kind.write(value)),
    read: (value = null) => kind.read(value, column),
    wire: kind.wire,
  };
}

/** A field that a message may lack, and all of those lack that an older release wrote. */
export function sometimes<T>(column: string, kind: Kind<T>): Field<T, "sometimes"> {
  return {
    column,
    presence: "sometimes",
    declaration: kind.type,
    write: (value) => (value === undefined ? null : kind.write(value)),
    read: (value = null) => (value === null ? undefined : kind.read(value, column)),
    wire: kind.wire,
  };
}

/** True or absent. */
export function trueOrAbsent(column: string): Field<true, "sometimes"> {
  return {
    column,
    presence: "sometimes",
    declaration: "INTEGER NOT NULL DEFAULT 0",
    write: (value) => Number(value === true),
    read: (value = 0) => (flag.read(value, column) ? true : undefined),
    wire: z.literal(true),
  };
}

export const text: Kind<string> = {
  type: "TEXT",
  write: (value) => value,
  read(value, column) {
    if (typeof value !== "string") throw wrongType(column, value);
    return value;
  },
  wire: z.string(),
};

export const address: Kind<string> = { ...text, wire: z.string().min(1) };

export const flag: Kind<boolean> = {
  type: "INTEGER",
  write: Number,
  read(value, column) {
    if (value !== 0 && value !== 1) throw wrongType(column, value);
    return value === 1;
  },
  wire: z.boolean(),
};

export const count: Kind<number> = {
  type: "INTEGER",
  write: (value) => value,
  read(value, column) {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrongType(column, value);
    return value;
  },
  wire: z.int().min(0),
};

/** ms since the epoch. */
export const time: Kind<number> = { ...count, write: Math.round, wire: z.number().min(0) };

export function oneOf<const T extends string>(words: readonly T[]): Kind<T> {
  const wire = z.enum(words);
  return {
    type: "TEXT",
    write: (value) => value,
    read: (value, column) => known(wire, text.read(value, column), column),
    wire,
  };
}

/** With commas between them. */
export function listOf<const T extends string>(words: readonly T[]): Kind<readonly T[]> {
  const wire = z.array(z.enum(words));
  return {
    type: "TEXT",
    write: (value) => value.join(","),
    read: (value, column) => known(wire, text.read(value, column).split(","), column),
    wire,
  };
}

export function json<T>(wire: z.ZodType<T>): Kind<T> {
  return {
    type: "TEXT",
    write: (value) => JSON.stringify(value),
    read: (value, column) => known(wire, parsed(text.read(value, column)), column),
    wire,
  };
}

export function wrongType(column: string, value: ColumnValue): UnreadableRowError {
  const type = value === null ? "nothing" : value instanceof Uint8Array ? "a blob" : `a ${typeof value}`;
  return new UnreadableRowError(`column ${column} holds ${type} that does not belong there`);
}

function parsed(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function known<T>(schema: z.ZodType<T>, value: unknown, column: string): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new UnreadableRowError(`column ${column} holds what this version does not know`);
  return result.data;
}

export type WireShape<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<unknown, "always"> ? F[K]["wire"] : z.ZodExactOptional<F[K]["wire"]>;
};

/** The fields as properties of a JSON object. What a newer pod sends beyond them is passed over. */
export function wireShape<F extends Fields>(fields: F): WireShape<F> {
  const properties = Object.entries(fields).map(([name, { presence, wire }]) => {
    return [name, presence === "always" ? wire : wire.exactOptional()] as const;
  });
  return Object.fromEntries(properties) as WireShape<F>;
}

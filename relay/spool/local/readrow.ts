/** Rows as SQLite gives them: one that cannot be read is a value, so that who reads many goes on with the next. */
import { UnreadableRowError } from "../message/field.ts";

export type Read<T> =
  { readonly kind: "read"; readonly value: T } | { readonly kind: "unreadable"; readonly reason: string };

/** SQLITE_CORRUPT: the page that the row stands on is damaged. */
const sqliteCorrupt = 11;

/** Rethrows what is not about the row: a disk that cannot be read now may be read later. */
export function readRow<T>(decode: () => T): Read<T> {
  try {
    return { kind: "read", value: decode() };
  } catch (error) {
    if (error instanceof UnreadableRowError) return { kind: "unreadable", reason: error.message };
    if (error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === sqliteCorrupt) {
      return { kind: "unreadable", reason: "the file is damaged where it stands" };
    }
    throw error;
  }
}

export function missingMessage(): never {
  throw new UnreadableRowError("its message is missing");
}

/**
 * One local mode for each state directory. The lock is an exclusive transaction on a file of its own, which the kernel
 * lets go of when the process ends in whatever way.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UsageError } from "../runtime/commandline.ts";

/** Somebody else runs on this state directory. */
export class StateInUseError extends Error {
  override readonly name = "StateInUseError";
}

/** SQLITE_BUSY, SQLITE_CORRUPT and SQLITE_NOTADB of sqlite.org/rescode.html; extended codes have them in their lowest octet. */
const [busy, corrupt, notADatabase] = [5, 11, 26] as const;

/** Held until the function it returns is called. Throws StateInUseError, and what SQLite says of a file that is no lock. */
export function lockState(stateDirectory: string): () => void {
  const file = join(stateDirectory, "owner.db");
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA busy_timeout = 500; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw unlockable(file, error);
    throw new StateInUseError(inUse(stateDirectory), { cause: error });
  }
  return () => database.close();
}

/** `page` is that of the one that runs, when it is known. */
export function inUse(stateDirectory: string, page?: string): string {
  const shown = page === undefined ? "" : ` (${page})`;
  return `another local mode runs on ${stateDirectory}${shown}: stop it, or choose another directory with --state (STATE=...)`;
}

/** What the disk says keeps its code, which says what to do. */
function unlockable(file: string, error: unknown): Error {
  const code = codeOf(error);
  if (error instanceof Error && code !== notADatabase && code !== corrupt) return error;
  return new UsageError(`${file} cannot be locked: ${String(error)}; remove it, nothing else stands in it`, {
    cause: error,
  });
}

function isBusy(error: unknown): boolean {
  return codeOf(error) === busy;
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) % 256 : undefined;
}

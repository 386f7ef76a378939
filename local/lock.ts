/**
 * One local mode for each state directory. The lock is an exclusive transaction on a file of its own, which the kernel
 * lets go of when the process ends in whatever way.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Somebody else runs on this state directory. */
export class StateInUseError extends Error {
  override readonly name = "StateInUseError";
}

/** SQLITE_BUSY of sqlite.org/rescode.html; extended codes have it in their lowest octet. */
const busy = 5;

/** Held until the function it returns is called. Throws StateInUseError, and what SQLite says of a file that is no lock. */
export function lockState(stateDirectory: string): () => void {
  const file = join(stateDirectory, "owner.db");
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA busy_timeout = 500; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!isBusy(error)) throw new Error(`${file} cannot be locked: ${String(error)}`, { cause: error });
    throw new StateInUseError(
      `another local mode runs on ${stateDirectory}: stop it, or choose another directory with --state (STATE=...)`,
      { cause: error },
    );
  }
  return () => database.close();
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && Number(error.errcode) % 256 === busy;
}

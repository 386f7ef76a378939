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

/** Held until the function it returns is called. Throws StateInUseError. */
export function lockState(stateDirectory: string): () => void {
  const database = new DatabaseSync(join(stateDirectory, "owner.db"));
  try {
    database.exec("PRAGMA busy_timeout = 500; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    throw new StateInUseError(
      `another local mode runs on ${stateDirectory}: stop it, or choose another directory with --state (STATE=...)`,
      { cause: error },
    );
  }
  return () => database.close();
}

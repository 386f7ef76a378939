/** A state folder that is only looked at: it must be there, and be one. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../runtime/commandline.ts";

/** Throws UsageError. What local mode makes first is its lock. */
export async function requireState(state: string): Promise<void> {
  const facts = await stat(state).catch(() => undefined);
  if (facts === undefined)
    throw new UsageError(
      `there is no ${state}: nothing has run there yet; another folder is named with --state (STATE=...)`,
    );
  const lock = await stat(join(state, "owner.db")).catch(() => undefined);
  if (lock === undefined)
    throw new UsageError(`${state} is no state folder of local mode: name the right one with --state (STATE=...)`);
}

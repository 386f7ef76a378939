/** Waiting for a condition that tells nobody when it comes true: asked again and again until its deadline. */
import { setTimeout as pause } from "node:timers/promises";

/** Resolves with the first value that is not undefined or false; rejects at the deadline naming what was awaited. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`${what} did not come about within ${deadlineMs} ms`);
    await pause(25);
  }
}

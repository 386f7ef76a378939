/**
 * The verb `clear`: a state folder without mail. Only what local mode made is removed, by its names. It holds the folder's lock
 * meanwhile, so that nothing starts on half of it, and refuses to lose what waits.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../runtime/commandline.ts";
import { takeState } from "../running.ts";
import { prepareState } from "../state.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { readWaiting, waitingWords } from "../waiting.ts";
import { requireState } from "./statefolder.ts";

export interface ClearOptions {
  readonly state: string;
  readonly force: boolean;
  readonly terminal: Pick<Terminal, "write">;
}

/** Captured messages, what is remembered of them and what was read, the pods' folders with their spools, and their claims. */
const mail = ["captured", "history.jsonl", "history.jsonl.1", "read.json", "pods", "claims", "removed"];

/** Resolves to the exit code. Throws UsageError and StateInUseError before anything is removed. */
export async function clearState({ state, force, terminal }: ClearOptions): Promise<number> {
  await requireState(state);
  await prepareState(state);
  const unlock = await takeState(state);
  try {
    const waiting = await readWaiting(state, 0);
    const wouldLose = waiting.messages > 0 || waiting.unreadable.length > 0;
    if (wouldLose && !force)
      throw new UsageError(
        `in ${state} ${waitingWords(waiting)}, and would be lost: \`make run\` goes on with it, \`make spool\` shows it, ` +
          "--force (make clear FORCE=1) removes it",
      );
    terminal.write(`${await remove(state, waiting.messages)}\n`);
    return 0;
  } finally {
    unlock();
  }
}

async function remove(state: string, waiting: number): Promise<string> {
  const captured = (await namesIn(join(state, "captured"))).filter((name) => name.endsWith(".eml")).length;
  const pods = (await namesIn(join(state, "pods"))).length;
  const present = new Set(await namesIn(state));
  const found = mail.filter((name) => present.has(name));
  for (const name of found) await rm(join(state, name), { recursive: true, force: true });
  if (found.length === 0) return `there is no mail in ${state}: nothing was removed`;
  const removed = [
    `${counted(captured, "captured message")} and what was remembered of them`,
    `${counted(pods, "spool")}${waiting === 0 ? "" : ` with ${counted(waiting, "message")} that waited`}`,
  ];
  return `removed from ${state}: ${removed.join(", ")}; keys, certificates and ports stay`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** None where there is no such folder. */
async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

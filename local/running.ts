/** What a running local mode tells other programs on this machine: where its page is, and how to send. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "./files.ts";
import { inUse, lockState, StateInUseError } from "./lock.ts";

const trial = z.object({
  host: z.string(),
  port: z.number(),
  tlsMode: z.enum(["StartTLS", "Implicit"]),
  login: z.object({
    username: z.string(),
    password: z.string(),
    /** Where the password stands, for people. */
    source: z.string(),
  }),
  from: z.string(),
});

/** Enough to send one message by hand. */
export type Trial = Readonly<z.infer<typeof trial>>;

/** A listener that takes mail of this machine without a login, and a sender that it takes it from. */
const openWay = z.object({ host: z.string(), port: z.number(), from: z.string() });

export type OpenWay = Readonly<z.infer<typeof openWay>>;

const runningLocal = z.object({
  /** Address of the page. */
  page: z.string(),
  /** Absent when no user's password is among the manifests. */
  trial: trial.optional(),
  /** Absent when every listener wants a login. */
  openWay: openWay.optional(),
});

export type RunningLocal = Readonly<z.infer<typeof runningLocal>>;

const fileName = "running.json";
const patienceMs = 2_000;

export async function tellRunning(stateDirectory: string, running: RunningLocal): Promise<void> {
  await writeFileAtomically(join(stateDirectory, fileName), JSON.stringify(running, undefined, 2) + "\n");
}

export async function forgetRunning(stateDirectory: string): Promise<void> {
  await rm(join(stateDirectory, fileName), { force: true });
}

/** Undefined when none runs on this state directory; the file of one that was killed does not count. */
export async function findRunning(stateDirectory: string): Promise<RunningLocal | undefined> {
  const text = await readFile(join(stateDirectory, fileName), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const running = runningLocal.parse(JSON.parse(text));
    // Its port may have gone to a program that answers nothing.
    const signal = AbortSignal.timeout(patienceMs);
    const response = await fetch(new URL("/api/recipients", running.page), { signal });
    return response.ok ? running : undefined;
  } catch {
    return undefined;
  }
}

/** The folder's lock, as lockState() gives it. Throws StateInUseError, which says where the other one is. */
export async function takeState(stateDirectory: string): Promise<() => void> {
  try {
    return lockState(stateDirectory);
  } catch (error) {
    if (!(error instanceof StateInUseError)) throw error;
    const other = await findRunning(stateDirectory);
    throw new StateInUseError(inUse(stateDirectory, other?.page), { cause: error });
  }
}

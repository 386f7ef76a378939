/** Strangers that flood a relay from addresses that nobody trusts, and mail of who has logged in beside them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { user } from "./configuration.ts";
import type { RelayProgram } from "./relay.ts";
import { repositoryRoot } from "./results.ts";
import { openSession, type WireClient } from "./send.ts";
import { sender, simpleMessage } from "./stage.ts";

/** Addresses of this machine that are nobody's who is trusted. */
const floods: readonly (readonly [kind: string, listener: string, ...addresses: string[]])[] = [
  ["refused", "submission", "127.0.0.2"],
  ["harmless", "submission", "127.0.0.3"],
  ["connects", "submission", "127.0.0.4"],
  ["handshakes", "submissions", "127.0.0.5"],
  ["logins", "submissions", "127.0.0.6"],
  ["silent", "submissions", "127.0.0.7"],
];
export const floodKinds: readonly string[] = floods.map(([kind]) => kind);

const addressesIn = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `127.2.${first}.${index + 1}`);
/** Each address has a few dozen connections, so that it is the relay's limits for all that are asked. */
const crowd: readonly (readonly [kind: string, listener: string, ...addresses: string[]])[] = [
  ["idle", "submission", ...addressesIn(1, 80)],
  ["idleTls", "submissions", ...addressesIn(2, 20)],
  ["slowloris", "submission", ...addressesIn(3, 8)],
  ["deaf", "submission", ...addressesIn(4, 2)],
  ["guesses", "submissions", ...addressesIn(5, 5)],
];
export const crowdKinds: readonly string[] = crowd.map(([kind]) => kind);
/** What a relay must be told to hold the 5,000 that are idle and everybody else: strangers have three quarters of the places. */
export const crowdLimits = { connections: 8000, connectionsPerClient: 50 } as const;

/** Each kind is a program of its own. Returns what ends them. */
export function startFloods(relay: RelayProgram, kinds: readonly string[] = floodKinds): () => void {
  const children = [...floods, ...crowd]
    .filter(([kind]) => kinds.includes(kind))
    .map(([kind, listener, ...addresses]) => {
      const args = [join(repositoryRoot, "test/support/flooder.ts"), kind, String(relay.port(listener)), ...addresses];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
      // Strangers have machines of their own: here they get what the relay and its clients leave of this one.
      // Who is idle costs next to nothing, and has to be there.
      if (child.pid !== undefined && !kind.startsWith("idle")) setPriority(child.pid, constants.priority.PRIORITY_LOW);
      return child;
    });
  return () => {
    for (const child of children) child.kill("SIGKILL");
  };
}

/** Reads a little now and then, as a node whose disk is busy does. Returns what ends it. */
export function readSlowly(relay: RelayProgram): () => void {
  const stream = relay.program.child.stdout;
  stream?.pause();
  const timer = setInterval(() => {
    stream?.once("data", () => stream.pause());
    stream?.resume();
  }, 500);
  return () => clearInterval(timer);
}

/** From the first octet of a message to its 250, in ms, sorted. New sessions now and then: a login must get through, too. */
export async function sendFor(relay: RelayProgram, durationMs: number): Promise<readonly number[]> {
  const took: number[] = [];
  const end = performance.now() + durationMs;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const session: WireClient = await openSession({ name: "submission", port: relay.port("submission") }, user);
      for (let count = 0; count < 50 && performance.now() < end; count += 1) {
        const started = performance.now();
        const reply = await session.send(sender, ["someone@example.org"], simpleMessage("beside the flood"));
        assert.equal(reply.code, 250, reply.text);
        took.push(performance.now() - started);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      session.destroy();
    }
  };
  await Promise.all([client(), client()]);
  return took.sort((one, other) => one - other);
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(sorted.length * share)] ?? 0;
}

export function figuresOf(sorted: readonly number[]): string {
  const ms = (share: number): string => `${quantile(sorted, share).toFixed(1)} ms`;
  return `${sorted.length} messages, p50 ${ms(0.5)}, p99 ${ms(0.99)}`;
}

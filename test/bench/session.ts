/**
 * What MAIL, RCPT and DATA cost a session, without disk, signature and next hop; of this tree and, in turn with it, of another one.
 * `node test/bench/session.ts [--against DIRECTORY] [--rounds N] [--messages N]`
 *
 * Each round is a process of its own: listeners on loopback over a spool in memory, and one client that sends messages of 4 KiB to
 * three recipients each, as fast as they are answered. The figure is the CPU time of both for a message.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../support/results.ts";
import type * as Support from "../support/submission.ts";

/** No check at all; one at each place that answers at once; one at each place that answers in another turn of the event loop. */
type CheckWish = "none" | "ready" | "waiting";

interface Plan {
  readonly tree: string;
  readonly checks: CheckWish;
  readonly messages: number;
}

/** As the tree has them; one that knows no checks is never asked for any. */
function checksOf(wish: CheckWish): Support.BedWish {
  if (wish === "none") return {};
  const pass = { kind: "pass" } as const;
  const answer = (): typeof pass | Promise<typeof pass> =>
    wish === "ready" ? pass : new Promise((settle) => setImmediate(() => settle(pass)));
  const check = { name: "bench", deadlineMs: 60_000, judge: answer };
  const content = {
    name: "bench",
    deadlineMs: 60_000,
    begin: () => ({ write: () => undefined, verdict: answer }),
  };
  return {
    checks: { connect: [check], sender: [check], recipient: [check], header: [check], content: [content] },
  };
}

/** CPU microseconds a message. */
async function measure({ tree, checks, messages }: Plan): Promise<number> {
  // The tree's own file of the same form.
  const { openBed } = (await import(join(tree, "test/support/submission.ts"))) as typeof Support;
  const bed = await openBed(
    {
      listeners: [{ name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] }],
      domains: { "example.com": { trustedNetworks: true } },
    },
    checksOf(checks),
  );
  const socket = connect(bed.submission.addresses.get("pods") ?? 0, "127.0.0.1");
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  const replied = async (first: string): Promise<void> => {
    for (let line = ""; !line.startsWith(first);) {
      const next = await replies.next();
      if (next.done === true) throw new Error(`the relay hung up before it said ${first}`);
      line = next.value;
      if (/^[45]/.test(line)) throw new Error(`the relay said: ${line}`);
    }
  };
  await replied("220 ");
  socket.write("EHLO bench.example\r\n");
  await replied("250 ");
  const recipients = ["b", "c", "d"].map((name) => `RCPT TO:<${name}@example.net>\r\n`).join("");
  const header = "From: a@example.com\r\nSubject: bench\r\nTo: b@example.net\r\n\r\n";
  const body = `${"x".repeat(76)}\r\n`.repeat(50);
  const envelope = `MAIL FROM:<a@example.com>\r\n${recipients}DATA\r\n`;
  socket.write(envelope);
  const send = async (count: number): Promise<void> => {
    for (let sent = 0; sent < count; sent += 1) {
      await replied("354 ");
      // RFC 2920 section 3.1: what follows a message may come with it.
      socket.write(`${header}${body}.\r\n${envelope}`);
      await replied("250 2.6.0");
      bed.spool.kept.length = 0;
    }
  };
  await send(messages / 4);
  const before = process.cpuUsage();
  await send(messages);
  const used = process.cpuUsage(before);
  socket.destroy();
  await bed.close();
  return (used.user + used.system) / messages;
}

async function inItsOwnProcess(plan: Plan): Promise<number> {
  const program = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [program, "--once", JSON.stringify(plan)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`a round ended with ${String(child.exitCode)}`);
  return Number(Buffer.concat(chunks).toString());
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

async function compare(against: string | undefined, rounds: number, messages: number): Promise<void> {
  const columns: (readonly [string, Omit<Plan, "messages">])[] = [
    ["this tree", { tree: repositoryRoot, checks: "none" }],
    ["checks that are ready", { tree: repositoryRoot, checks: "ready" }],
    ["checks that wait a turn", { tree: repositoryRoot, checks: "waiting" }],
  ];
  if (against !== undefined) columns.unshift(["the other tree", { tree: resolve(against), checks: "none" }]);
  const results = new Map(columns.map(([name]) => [name, [] as number[]]));
  for (let round = 0; round < rounds; round += 1) {
    // Who comes first has the machine as the one before left it: each in its turn.
    for (const [name, plan] of [
      ...columns.slice(round % columns.length),
      ...columns.slice(0, round % columns.length),
    ]) {
      results.get(name)?.push(await inItsOwnProcess({ ...plan, messages }));
    }
  }
  const base = [...results.values()][0] ?? [];
  for (const [name, values] of results) {
    const ratio = medianOf(values.map((value, round) => value / (base[round] ?? 1)));
    const range = `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`;
    process.stdout.write(
      `${name.padEnd(24)} ${medianOf(values).toFixed(1)} us CPU a message (${range}), ${ratio.toFixed(3)} of the first in pairs\n`,
    );
  }
}

const { values } = parseArgs({
  options: {
    against: { type: "string" },
    rounds: { type: "string", default: "11" },
    messages: { type: "string", default: "20000" },
    once: { type: "string" },
  },
});
if (values.once === undefined) await compare(values.against, Number(values.rounds), Number(values.messages));
// Our own process wrote it.
else process.stdout.write(String(await measure(JSON.parse(values.once) as Plan)));

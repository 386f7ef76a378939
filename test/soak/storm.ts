/**
 * Everything at once, for as long as it is told: `node test/soak/storm.ts [--minutes N] [--disk MIB]` (root; minutes are 10).
 *
 * Load without pause, a kill -9 every few seconds, one temporary failure in ten, one slow destination, and a disk that somebody
 * else fills and empties twice. At the end the ledger is closed: accepted = delivered + bounced + queued. Exit status 1 when
 * a message was lost, or more were doubled than deliveries were in flight at the kills.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { flood, type FloodLedger, reconcile } from "../support/flood.ts";
import { allListeners, type RelayPlan } from "../support/configuration.ts";
import { makeCertificate, makeEd25519Key, makeRsaKey } from "../support/keys.ts";
import { NextHop } from "../support/nexthop.ts";
import { RelayProgram } from "../support/relay.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { until } from "../support/until.ts";

const mebibyte = 2 ** 20;
/** Deliveries that a relay has under way at most: each may be repeated after a kill. */
const deliveriesInFlight = 64;
const killEveryMs = 4_000;
const fullForMs = 15_000;
const drainMs = 180_000;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

interface Storm {
  relay: RelayProgram;
  readonly disk: string;
  /** Ends with the load. */
  readonly over: AbortSignal;
  kills: number;
  fills: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { minutes: { type: "string" }, disk: { type: "string" } } });
  const minutes = Number(values.minutes ?? "10");
  const directory = makeResultsDirectory(import.meta.url, "storm");
  const disk = join(directory, "disk");
  mkdirSync(disk, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${values.disk ?? "256"}m`, "tmpfs", disk], { stdio: "pipe" });
  try {
    return await weather(directory, disk, minutes * 60_000);
  } finally {
    execFileSync("umount", ["-l", disk]);
  }
}

async function weather(directory: string, disk: string, durationMs: number): Promise<number> {
  const prompt = await NextHop.start({
    recipient: (address, attempt) => (isPutOff(address, attempt) ? "451 4.3.0 not now" : undefined),
  });
  const slow = await NextHop.start({ delayMs: () => 200 });
  const keys = [makeRsaKey("rsa"), makeEd25519Key("ed")];
  const plan: RelayPlan = {
    nextHops: [prompt.address],
    domains: [
      { domain: "example.com", keys },
      { domain: "slow.example.com", keys, nextHops: [slow.address] },
    ],
    certificate: makeCertificate(directory, "relay.example.net"),
    capacityBytes: 4 * 2 ** 30,
    retry: { firstMs: 1_000, maxMs: 8_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 3_000_000 },
  };
  const start = (ports: Readonly<Record<string, number>>): Promise<RelayProgram> =>
    RelayProgram.start({ directory, plan, ports, spoolDirectory: join(disk, "spool") });
  const over = new AbortController();
  const storm: Storm = { relay: await start({}), disk, over: over.signal, kills: 0, fills: 0 };
  const ports = Object.fromEntries(allListeners.map(({ name }) => [name, storm.relay.port(name)]));
  const startedAt = Date.now();
  const isOver = (): boolean => Date.now() - startedAt >= durationMs;
  const load = { port: () => ports["smtp"] ?? 0, messages: Number.POSITIVE_INFINITY, isOver };
  const ledgers: Promise<FloodLedger>[] = [
    flood({ ...load, connections: 8, pauseMs: 20, recipientOf: (number) => `r${number}@example.org` }),
    flood({ ...load, connections: 1, pauseMs: 250, sender: "app@slow.example.com" }),
  ];
  const weathers = [
    killNowAndThen(storm, async () => start(ports)),
    fillTwice(storm, durationMs),
    tell(storm, [prompt, slow]),
  ];
  const [prompted, slowed] = await Promise.all(ledgers);
  over.abort();
  await Promise.all(weathers);
  const isEmpty = async (): Promise<boolean> => (await storm.relay.status()).spool.queuedRecipients === 0;
  const drained = await until("an empty spool", isEmpty, drainMs).then(
    () => true,
    () => false,
  );
  const queued = (await storm.relay.status()).spool.queuedRecipients;
  await storm.relay.program.kill("SIGTERM");
  await Promise.all([prompt.stop(), slow.stop()]);
  if (prompted === undefined || slowed === undefined) throw new Error("no ledger");
  say(drained ? "drained" : `not drained in time: ${queued} recipients are queued`);
  return close(storm, [
    { name: "prompt", ledger: prompted, hop: prompt },
    { name: "slow", ledger: slowed, hop: slow },
  ]);
}

/** The first attempt of one message in ten: each has a recipient of its own, with its number. */
function isPutOff(address: string, attempt: number): boolean {
  return attempt === 1 && address.includes("0@");
}

async function killNowAndThen(storm: Storm, start: () => Promise<RelayProgram>): Promise<void> {
  while (!storm.over.aborted) {
    await pause(killEveryMs, undefined, { signal: storm.over }).catch(() => undefined);
    await storm.relay.program.kill("SIGKILL");
    storm.kills += 1;
    storm.relay = await startDespiteFullDisk(start);
  }
}

/** A spool on a disk without room may not open: Kubernetes starts the pod again, and so does this. */
async function startDespiteFullDisk(start: () => Promise<RelayProgram>): Promise<RelayProgram> {
  for (;;) {
    try {
      return await start();
    } catch (error) {
      say(`did not start: ${String(error).split("\n")[0]}`);
      await pause(1_000);
    }
  }
}

async function fillTwice(storm: Storm, durationMs: number): Promise<void> {
  const filler = join(storm.disk, "filler");
  for (let round = 1; round <= 2; round += 1) {
    await pause(durationMs / 3 - fullForMs, undefined, { signal: storm.over }).catch(() => undefined);
    if (storm.over.aborted) return;
    const { bavail, bsize } = statfsSync(storm.disk);
    try {
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - mebibyte / 4)));
    } catch (error) {
      // The relay takes what is left meanwhile; what was written stays.
      say(`the disk is full: ${String(error)}`);
    }
    storm.fills += 1;
    await pause(fullForMs);
    rmSync(filler, { force: true });
  }
}

async function tell(storm: Storm, hops: readonly NextHop[]): Promise<void> {
  while (!storm.over.aborted) {
    await pause(30_000, undefined, { signal: storm.over }).catch(() => undefined);
    const arrived = hops.reduce((sum, hop) => sum + hop.mails.length, 0);
    say(
      `${new Date().toISOString().slice(11, 19)} ${arrived} arrived, ${storm.kills} kills, disk filled ${storm.fills} times`,
    );
  }
}

interface Account {
  readonly name: string;
  readonly ledger: FloodLedger;
  readonly hop: NextHop;
}

function close(storm: Storm, accounts: readonly Account[]): number {
  let lost = 0;
  let duplicates = 0;
  for (const { name, ledger, hop } of accounts) {
    const found = reconcile(ledger, hop.mails);
    lost += found.lost.length;
    duplicates += found.duplicates;
    say(
      `${name}: ${ledger.sent.size} sent, ${ledger.accepted.size} accepted, ${hop.mails.length} arrived, ` +
        `${found.lost.length} lost, ${found.duplicates} doubled`,
    );
    for (const subject of found.lost.slice(0, 10)) say(`  lost: ${subject}`);
  }
  const bound = deliveriesInFlight * storm.kills;
  say(
    `${storm.kills} kills, disk filled ${storm.fills} times, ${duplicates} doubled of at most ${bound}, ${lost} lost`,
  );
  return lost === 0 && duplicates <= bound && storm.fills === 2 ? 0 : 1;
}

process.exitCode = await main();

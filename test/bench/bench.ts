/**
 * make bench: the same load through Mailboat and its peers, in turn, in one run, and the ratios.
 * 4 KiB messages, 40 clients, 20 messages a connection, RSA-2048 DKIM, delivery to a sink on this machine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Contestant, ContestantOptions } from "./contestant.ts";
import type { LoadPlan, LoadResult } from "./load.ts";
import { startMailboat } from "./mailboat.ts";
import { freePort } from "./ports.ts";
import { startPostfix } from "./postfix.ts";
import { openSink, type Sink } from "./sink.ts";

interface Round {
  readonly messagesPerSecond: number;
  readonly cpuMsPerMessage: number;
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
}

const starters = { mailboat: startMailboat, postfix: startPostfix } as const;
type Name = keyof typeof starters;

async function load(plan: LoadPlan): Promise<LoadResult> {
  const program = fileURLToPath(new URL("./load.ts", import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  if (child.exitCode !== 0) throw new Error(`the load ended with ${String(child.exitCode)}`);
  // Our own program wrote it.
  return JSON.parse(Buffer.concat(chunks).toString()) as LoadResult;
}

async function round(contestant: Contestant, sink: Sink, messages: number): Promise<Round> {
  const plan = {
    port: contestant.port,
    messages,
    connections: 40,
    messagesPerConnection: 20,
    sizeBytes: 4096,
    domain: "example.com",
  };
  sink.reset();
  const cpuBefore = await contestant.cpuSeconds();
  const started = performance.now();
  const [result] = await Promise.all([load(plan), sink.reached(messages)]);
  const seconds = (performance.now() - started) / 1000;
  const cpu = (await contestant.cpuSeconds()) - cpuBefore;
  return {
    messagesPerSecond: messages / seconds,
    cpuMsPerMessage: (cpu * 1000) / messages,
    acceptP50Ms: result.acceptP50Ms,
    acceptP99Ms: result.acceptP99Ms,
  };
}

async function measure(
  name: Name,
  options: Omit<ContestantOptions, "directory" | "port">,
  plan: BenchPlan,
): Promise<Round[]> {
  const directory = await mkdtemp(join(tmpdir(), `bench-${name}-`));
  await mkdir(directory, { recursive: true });
  const contestant = await starters[name]({ ...options, directory, port: await freePort() });
  const rounds: Round[] = [];
  try {
    await round(contestant, plan.sink, Math.min(1000, plan.messages));
    for (let index = 0; index < plan.rounds; index += 1) {
      const result = await round(contestant, plan.sink, plan.messages);
      rounds.push(result);
      process.stdout.write(
        `${contestant.name}: ${result.messagesPerSecond.toFixed(0)} messages/s, ${result.cpuMsPerMessage.toFixed(2)} ms CPU a message, accept p50 ${result.acceptP50Ms.toFixed(0)} ms, p99 ${result.acceptP99Ms.toFixed(0)} ms\n`,
      );
    }
  } finally {
    await contestant.stop();
    await rm(directory, { recursive: true, force: true });
  }
  return rounds;
}

interface BenchPlan {
  readonly messages: number;
  readonly rounds: number;
  readonly sink: Sink;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function printTable(results: ReadonlyMap<Name, readonly Round[]>): void {
  const rows = [...results].map(([name, rounds]) => ({
    relay: name,
    "messages/s": median(rounds.map((item) => item.messagesPerSecond)),
    "CPU ms/message": median(rounds.map((item) => item.cpuMsPerMessage)),
    "accept p99 ms": median(rounds.map((item) => item.acceptP99Ms)),
  }));
  const own = rows.find((row) => row.relay === "mailboat");
  process.stdout.write(
    "\n| relay | messages/s | CPU ms a message | accept p99 ms | Mailboat's rate to it | its CPU to Mailboat's |\n|---|---|---|---|---|---|\n",
  );
  for (const row of rows) {
    const rate = (own?.["messages/s"] ?? 0) / row["messages/s"];
    const cpu = row["CPU ms/message"] / (own?.["CPU ms/message"] ?? 1);
    process.stdout.write(
      `| ${row.relay} | ${row["messages/s"].toFixed(0)} | ${row["CPU ms/message"].toFixed(2)} | ${row["accept p99 ms"].toFixed(0)} | ${rate.toFixed(2)} | ${cpu.toFixed(2)} |\n`,
    );
  }
}

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "8000" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "mailboat,postfix" },
  },
});
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const sinkPort = await freePort();
const sink = openSink(sinkPort);
const results = new Map<Name, readonly Round[]>();
try {
  for (const name of ["mailboat", "postfix"] as const) {
    if (!values.only.split(",").includes(name)) continue;
    const options = {
      sinkPort,
      domain: "example.com",
      privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    };
    const plan = { messages: Number(values.messages), rounds: Number(values.rounds), sink };
    results.set(name, await measure(name, options, plan));
  }
  printTable(results);
} finally {
  sink.stop();
}

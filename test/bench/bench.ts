/**
 * make bench: the same load through Mailboat and its peers, in turn, in one run, and the ratios.
 * 4 KiB messages, 40 clients, 20 messages a connection, RSA-2048 DKIM, delivery to a sink on this machine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
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
import { openSpanSink } from "./spansink.ts";

interface Round {
  readonly messagesPerSecond: number;
  readonly cpuMsPerMessage: number;
  readonly acceptP50Ms: number;
  readonly acceptP99Ms: number;
}

/** Tracing costs what lies between the first and the others of its kind. */
const ratios: Readonly<Record<string, number>> = { "mailboat-0": 0, "mailboat-0.1": 0.1, "mailboat-1": 1 };
const names = ["mailboat", ...Object.keys(ratios), "postfix"] as const;

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

interface Running {
  readonly name: string;
  readonly directory: string;
  readonly contestant: Contestant;
  readonly rounds: Round[];
}

async function start(name: string, options: Omit<ContestantOptions, "directory" | "port">): Promise<Running> {
  const directory = await mkdtemp(join(tmpdir(), `bench-${name}-`));
  const starter = name === "postfix" ? startPostfix : startMailboat;
  const contestant = await starter({ ...options, directory, port: await freePort() });
  return { name, directory, contestant, rounds: [] };
}

/** In turn, round by round, so that a machine that gets slower or faster does so for all. */
async function measure(running: readonly Running[], plan: BenchPlan): Promise<void> {
  for (const { contestant } of running) await round(contestant, plan.sink, Math.min(1000, plan.messages));
  for (let index = 0; index < plan.rounds; index += 1) {
    for (const { contestant, rounds } of running) {
      const result = await round(contestant, plan.sink, plan.messages);
      rounds.push(result);
      process.stdout.write(
        `${contestant.name}: ${result.messagesPerSecond.toFixed(0)} messages/s, ${result.cpuMsPerMessage.toFixed(2)} ms CPU a message, accept p50 ${result.acceptP50Ms.toFixed(0)} ms, p99 ${result.acceptP99Ms.toFixed(0)} ms\n`,
      );
    }
  }
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

function medians(rounds: readonly Round[]): Round {
  return {
    messagesPerSecond: median(rounds.map((item) => item.messagesPerSecond)),
    cpuMsPerMessage: median(rounds.map((item) => item.cpuMsPerMessage)),
    acceptP50Ms: median(rounds.map((item) => item.acceptP50Ms)),
    acceptP99Ms: median(rounds.map((item) => item.acceptP99Ms)),
  };
}

function printTable(running: readonly Running[]): void {
  const rows = running.map(({ name, contestant, rounds }) => ({ name, title: contestant.name, ...medians(rounds) }));
  const own = rows.find(({ name }) => name === "mailboat") ?? rows[0];
  process.stdout.write(
    "\n| relay | messages/s | CPU ms a message | accept p99 ms | Mailboat's rate to it | its CPU to Mailboat's |\n|---|---|---|---|---|---|\n",
  );
  for (const row of rows) {
    const rate = (own?.messagesPerSecond ?? 0) / row.messagesPerSecond;
    const cpu = row.cpuMsPerMessage / (own?.cpuMsPerMessage ?? 1);
    process.stdout.write(
      `| ${row.title} | ${row.messagesPerSecond.toFixed(0)} | ${row.cpuMsPerMessage.toFixed(2)} | ${row.acceptP99Ms.toFixed(0)} | ${rate.toFixed(2)} | ${cpu.toFixed(2)} |\n`,
    );
  }
  for (const row of rows.filter(({ name }) => name in ratios && own?.name === "mailboat")) {
    const rate = 1 - row.messagesPerSecond / (own?.messagesPerSecond ?? 1);
    const cpu = row.cpuMsPerMessage - (own?.cpuMsPerMessage ?? 0);
    process.stdout.write(
      `tracing at ${String(ratios[row.name])} costs ${(rate * 100).toFixed(1)} % of the rate and ${cpu.toFixed(3)} ms CPU a message\n`,
    );
  }
}

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "8000" },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: names.join(",") },
  },
});
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const sinkPort = await freePort();
const sink = openSink(sinkPort);
const spanSink = await openSpanSink();
const running: Running[] = [];
try {
  for (const name of names) {
    if (!values.only.split(",").includes(name)) continue;
    const samplingRatio = ratios[name];
    const options = {
      sinkPort,
      domain: "example.com",
      privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      ...(samplingRatio === undefined ? {} : { tracing: { endpoint: spanSink.endpoint, samplingRatio } }),
    };
    running.push(await start(name, options));
  }
  await measure(running, { messages: Number(values.messages), rounds: Number(values.rounds), sink });
  printTable(running);
} finally {
  for (const { contestant, directory } of running) {
    await contestant.stop();
    await rm(directory, { recursive: true, force: true });
  }
  sink.stop();
  spanSink.stop();
}

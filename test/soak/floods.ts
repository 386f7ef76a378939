/**
 * Strangers that flood every listener, for as long as it is told, beside mail of who has logged in:
 * `node test/soak/floods.ts [--minutes N] [--kinds refused,harmless,...] [--quiet SECONDS]` (minutes are 10, all kinds at once but
 * the crowd of `--kinds idle,idleTls,slowloris,deaf,guesses`: 5,000 that are idle, beside whom every connection costs more).
 *
 * Strangers have machines of their own, and here they share one with the relay. So mail is timed three times: with nothing beside
 * it, with programs beside it that only keep every processor busy, at the strangers' low priority, and with the strangers. What
 * the second costs is the machine's doing (syncs of its disk take longer, too), what the third costs more is the relay's.
 *
 * The log has a slow reader. Memory is told as it goes, at the end how long mail took each time, and the peak. Exit status 1 when
 * the relay ended, mail was refused or lost, memory passed the limit of a pod, or mail took twice as long as on the busy machine.
 */
import { setInterval } from "node:timers/promises";
import { parseArgs } from "node:util";
import { keepBusy } from "../support/busy.ts";
import { makeCertificate, makeEd25519Key, makeRsaKey } from "../support/keys.ts";
import { NextHop } from "../support/nexthop.ts";
import { RelayProgram } from "../support/relay.ts";
import { makeResultsDirectory } from "../support/results.ts";
import {
  crowdKinds,
  crowdLimits,
  figuresOf,
  floodKinds,
  quantile,
  readSlowly,
  sendFor,
  startFloods,
} from "../support/strangers.ts";
import { until } from "../support/until.ts";

const mebibyte = 2 ** 20;
/** Of the pod, see operator/mailrelay/objects/podtemplate.ts. */
const boundMiB = 512;
/** Of how long one in a hundred messages may take, to the same on a machine that is as busy. */
const mostTimes = 2;
const say = (line: string): boolean => process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      kinds: { type: "string", default: floodKinds.join(",") },
      quiet: { type: "string", default: "30" },
      every: { type: "string", default: "15" },
    },
  });
  const kinds = values.kinds.split(",");
  const directory = makeResultsDirectory(import.meta.url, `floods-${process.pid}`);
  const hop = await NextHop.start();
  const relay = await RelayProgram.start({
    directory,
    // As in a pod.
    env: { NODE_OPTIONS: "--max-semi-space-size=8" },
    plan: {
      nextHops: [hop.address],
      domains: [{ domain: "example.com", keys: [makeRsaKey("rsa"), makeEd25519Key("ed")] }],
      certificate: makeCertificate(directory, "relay.example.net"),
      ...(kinds.some((kind) => crowdKinds.includes(kind)) ? { limits: crowdLimits } : {}),
    },
  });
  const endings: (() => void)[] = [];
  try {
    const over = new AbortController();
    // It ends with the floods, which is no fault.
    void tellMemory(relay, Number(values.every) * 1000, over.signal).catch(() => undefined);
    const quiet = await sendFor(relay, Number(values.quiet) * 1000);
    const restMiB = relay.peakMemoryBytes() / mebibyte;
    say(`quiet: ${figuresOf(quiet)}, peak ${restMiB.toFixed(0)} MiB`);
    const rest = keepBusy();
    endings.push(rest);
    const busy = await sendFor(relay, Number(values.quiet) * 1000);
    rest();
    say(`every processor busy: ${figuresOf(busy)}`);
    endings.push(readSlowly(relay), startFloods(relay, kinds));
    const flooded = await sendFor(relay, Number(values.minutes) * 60_000);
    over.abort();
    const peakMiB = relay.peakMemoryBytes() / mebibyte;
    say(`flooded: ${figuresOf(flooded)}, peak ${peakMiB.toFixed(0)} MiB of ${boundMiB}`);
    await until("all of it delivered", async () => (await relay.status()).spool.queuedRecipients === 0);
    const lost = quiet.length + busy.length + flooded.length - hop.mails.length;
    const times = quantile(flooded, 0.99) / quantile(busy, 0.99);
    say(`no crash, ${lost} lost, p99 ${times.toFixed(1)} times that of a busy machine`);
    return lost === 0 && peakMiB < boundMiB && times < mostTimes ? 0 : 1;
  } finally {
    for (const end of endings) end();
    await relay.program.kill("SIGKILL");
    await hop.stop();
  }
}

async function tellMemory(relay: RelayProgram, everyMs: number, over: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for await (const _ of setInterval(everyMs, undefined, { signal: over })) {
    const metrics = await relay.metrics().catch(() => "");
    const metric = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1]);
    const mib = (name: string): string => (metric(name) / mebibyte).toFixed(0);
    say(
      `${((performance.now() - startedAt) / 1000).toFixed(0)} s: resident ${mib("process_resident_memory_bytes")}, heap ` +
        `${mib("nodejs_heap_size_used_bytes")} of ${mib("nodejs_heap_size_total_bytes")}, external ` +
        `${mib("nodejs_external_memory_bytes")} MiB, ${metric("nodejs_active_handles_total")} handles`,
    );
  }
}

process.exitCode = await main();

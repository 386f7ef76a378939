/**
 * Strangers that flood every listener cost no mail: who has logged in is served, memory stays within the pod's, also while nobody
 * reads the log. MAILBOAT_FLOOD_SECONDS=600 floods that long and holds the times of replies against those of a quiet relay.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { user } from "../support/configuration.ts";
import { repositoryRoot } from "../support/results.ts";
import { openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const seconds = Number(process.env["MAILBOAT_FLOOD_SECONDS"] ?? 8);
const isLong = seconds >= 60;
/** What all floods together may add to what the relay takes with a client or two. */
const floodMiB = 96;

/** Addresses of this machine that are nobody's who is trusted. */
const floods: readonly (readonly [kind: string, listener: string, ...addresses: string[]])[] = [
  ["refused", "submission", "127.0.0.2"],
  ["harmless", "submission", "127.0.0.3"],
  ["connects", "submission", "127.0.0.4"],
  ["handshakes", "submissions", "127.0.0.5"],
  ["logins", "submissions", "127.0.0.6"],
  ["silent", "submissions", "127.0.0.7"],
];

function attack(t: TestContext, stage: Stage): void {
  for (const [kind, listener, ...addresses] of floods) {
    const port = String(stage.relay.port(listener));
    const args = [join(repositoryRoot, "test/support/flooder.ts"), kind, port, ...addresses];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
  }
}

/** Reads a little now and then, as a node whose disk is busy does. */
function readSlowly(t: TestContext, stage: Stage): void {
  const stream = stage.relay.program.child.stdout;
  stream?.pause();
  const timer = setInterval(() => {
    stream?.once("data", () => stream.pause());
    stream?.resume();
  }, 500);
  t.after(() => clearInterval(timer));
}

const times = (sorted: readonly number[], share: number): number => sorted[Math.floor(sorted.length * share)] ?? 0;

/** From the first octet of a message to its 250, in ms, sorted. New sessions now and then: a login must get through, too. */
async function sendFor(stage: Stage, durationMs: number): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + durationMs;
  const client = async (): Promise<void> => {
    while (performance.now() < end) {
      const session: WireClient = await openSession({ name: "submission", port: stage.relay.port("submission") }, user);
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

test("authenticated mail is taken beside floods of every kind, in bounded memory, while the log has a slow reader", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    relay: { env: { NODE_OPTIONS: "--max-old-space-size=128" } },
  });
  const quiet = await sendFor(stage, isLong ? 30_000 : 3000);
  const restMiB = stage.relay.peakMemoryBytes() / 1024 ** 2;
  const restCpu = stage.relay.cpuSeconds();
  readSlowly(t, stage);
  attack(t, stage);
  const flooded = await sendFor(stage, seconds * 1000);
  const peakMiB = stage.relay.peakMemoryBytes() / 1024 ** 2;
  const figures = (sorted: readonly number[]): string =>
    `${sorted.length} messages, p50 ${times(sorted, 0.5).toFixed(1)} ms, p99 ${times(sorted, 0.99).toFixed(1)} ms`;
  const cpu = ((stage.relay.cpuSeconds() - restCpu) / seconds) * 100;
  t.diagnostic(`quiet: ${figures(quiet)}, peak ${restMiB.toFixed(0)} MiB`);
  t.diagnostic(
    `flooded for ${seconds} s: ${figures(flooded)}, peak ${peakMiB.toFixed(0)} MiB, ${cpu.toFixed(0)} % of a core`,
  );
  assert.ok(peakMiB < restMiB + floodMiB, `${peakMiB} MiB`);
  assert.ok(flooded.length > quiet.length / 2, "mail goes on");
  if (isLong) assert.ok(times(flooded, 0.99) < 2 * times(quiet, 0.99));
  const metrics = await stage.relay.metrics();
  t.diagnostic(
    (metrics.match(/^mailboat_(?:log_dropped|submission_refusals|submission_connections).*$/gm) ?? []).join("; "),
  );
  await until("all of it delivered", async () => (await stage.relay.status()).spool.queuedRecipients === 0);
  assert.equal(stage.hop.mails.length, quiet.length + flooded.length);
});

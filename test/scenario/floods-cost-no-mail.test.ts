/**
 * Strangers that flood every listener cost no mail: who has logged in is served, memory stays within the pod's, also while nobody
 * reads the log. MAILBOAT_FLOOD_SECONDS=600 floods that long and holds the times of replies against those of a quiet relay.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { user } from "../support/configuration.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";
import { figuresOf, quantile, readSlowly, sendFor, startFloods } from "../support/strangers.ts";
import { until } from "../support/until.ts";

const seconds = Number(process.env["MAILBOAT_FLOOD_SECONDS"] ?? 8);
const isLong = seconds >= 60;
/** What all floods together may add to what the relay takes with a client or two. */
const floodMiB = 96;

test("authenticated mail is taken beside floods of every kind, in bounded memory, while the log has a slow reader", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    relay: { env: { NODE_OPTIONS: "--max-old-space-size=128 --max-semi-space-size=8" } },
  });
  const quiet = await sendFor(stage.relay, isLong ? 30_000 : 3000);
  const restMiB = stage.relay.peakMemoryBytes() / 1024 ** 2;
  const restCpu = stage.relay.cpuSeconds();
  t.after(readSlowly(stage.relay));
  t.after(startFloods(stage.relay));
  const flooded = await sendFor(stage.relay, seconds * 1000);
  const peakMiB = stage.relay.peakMemoryBytes() / 1024 ** 2;
  const cpu = ((stage.relay.cpuSeconds() - restCpu) / seconds) * 100;
  t.diagnostic(`quiet: ${figuresOf(quiet)}, peak ${restMiB.toFixed(0)} MiB`);
  t.diagnostic(
    `flooded for ${seconds} s: ${figuresOf(flooded)}, peak ${peakMiB.toFixed(0)} MiB, ${cpu.toFixed(0)} % of a core`,
  );
  assert.ok(peakMiB < restMiB + floodMiB, `${peakMiB} MiB`);
  assert.ok(flooded.length > quiet.length / 2, "mail goes on");
  if (isLong) assert.ok(quantile(flooded, 0.99) < 2 * quantile(quiet, 0.99));
  const metrics = await stage.relay.metrics();
  t.diagnostic(
    (metrics.match(/^mailboat_(?:log_dropped|submission_refusals|submission_connections).*$/gm) ?? []).join("; "),
  );
  await until("all of it delivered", async () => (await stage.relay.status()).spool.queuedRecipients === 0);
  assert.equal(stage.hop.mails.length, quiet.length + flooded.length);
});

test("a storm of connections of one stranger is turned away before it costs sockets, and mail goes on", async (t) => {
  const stage = await openStage(t, { file: import.meta.url });
  const turnedAway = async (): Promise<number> => {
    const metrics = await stage.relay.metrics();
    return Number(
      /^mailboat_submission_turned_away_connections_total\{listener="submission"\} (\d+)/m.exec(metrics)?.[1] ?? 0,
    );
  };
  t.after(startFloods(stage.relay, ["connects"]));
  await until("strangers turned away", async () => (await turnedAway()) > 200);
  const session = await openSession({ name: "submission", port: stage.relay.port("submission") }, user);
  t.after(() => session.destroy());
  const before = await turnedAway();
  for (let count = 1; count <= 10; count += 1) {
    const reply = await session.send(sender, ["someone@example.org"], simpleMessage(`beside the storm ${count}`));
    assert.equal(reply.code, 250, reply.text);
  }
  await until("more strangers turned away", async () => (await turnedAway()) > before);
});

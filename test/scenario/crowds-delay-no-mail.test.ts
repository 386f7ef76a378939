/**
 * Five thousand connections that are idle, slow writers, clients that never read, and guesses at passwords, all at once: who has logged in is
 * served as soon as at a relay beside it that has none of them on the same machine at the same time, and memory stays within what
 * docs/sizing.md says of connections.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { RelayProgram } from "../support/relay.ts";
import { openStage, type Stage } from "../support/stage.ts";
import { crowdKinds, crowdLimits, figuresOf, quantile, sendFor, startFloods } from "../support/strangers.ts";
import { until } from "../support/until.ts";

const crowdSize = 5000;
/** Of docs/sizing.md. */
const kibibytesEach = 100;
/**
 * Twice the quiet p99 may be less than a turn of the scheduler: the flooders are programs of this machine, too, and whoever wakes up waits
 * for some of them. Nobody who sends mail notices so little.
 */
const noiseMs = 40;
/** The median of the windows counts: on a machine that is busy a window may be a bad one. More are taken while it is not clear. */
const [fewestWindows, mostWindows] = [3, 7];
const windowMs = 4000;

async function open(t: TestContext, name: string): Promise<Stage> {
  return openStage(t, {
    file: import.meta.url,
    name,
    plan: { limits: crowdLimits },
    relay: { env: { NODE_OPTIONS: "--max-semi-space-size=8" } },
  });
}

const sum = (metrics: string, name: string): number =>
  [...metrics.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, "gm"))].reduce((all, [, one]) => all + Number(one), 0);
const connectionsOf = async (relay: RelayProgram): Promise<number> =>
  sum(await relay.metrics(), "mailboat_submission_connections");

test("authenticated mail goes on beside 5,000 idle connections, slow clients and guesses, in bounded memory", async (t) => {
  const [quiet, crowded] = await Promise.all([open(t, "quiet"), open(t, "crowded")]);
  let sent = (await Promise.all([sendFor(quiet.relay, 1500), sendFor(crowded.relay, 1500)]))[1].length;
  const restMiB = crowded.relay.peakMemoryBytes() / 1024 ** 2;
  t.after(startFloods(crowded.relay, crowdKinds));
  await until("the crowd", async () => (await connectionsOf(crowded.relay)) >= crowdSize, 40_000);
  const isServed: boolean[] = [];
  const median = (): boolean => isServed.filter(Boolean).length > isServed.length / 2;
  const isClear = (): boolean => median() || isServed.filter((one) => !one).length > mostWindows / 2;
  while (isServed.length < fewestWindows || !isClear()) {
    const [cpu, quietCpu] = [crowded.relay.cpuSeconds(), quiet.relay.cpuSeconds()];
    const [control, tried] = await Promise.all([sendFor(quiet.relay, windowMs), sendFor(crowded.relay, windowMs)]);
    sent += tried.length;
    isServed.push(quantile(tried, 0.99) < Math.max(2 * quantile(control, 0.99), noiseMs));
    t.diagnostic(
      `without a crowd: ${figuresOf(control)}, ${(quiet.relay.cpuSeconds() - quietCpu).toFixed(1)} s of CPU`,
    );
    t.diagnostic(`with it: ${figuresOf(tried)}, ${(crowded.relay.cpuSeconds() - cpu).toFixed(1)} s of CPU`);
  }
  const present = await connectionsOf(crowded.relay);
  const peakMiB = crowded.relay.peakMemoryBytes() / 1024 ** 2;
  t.diagnostic(`${present} connections, peak ${peakMiB.toFixed(0)} MiB after ${restMiB.toFixed(0)}`);
  assert.ok(median(), "mail takes less than twice the time that it takes beside no crowd");
  assert.ok(present >= crowdSize, `${present} connections`);
  assert.ok(peakMiB < restMiB + (present * kibibytesEach) / 1024, `${peakMiB} MiB after ${restMiB}`);
  const heldBack = sum(await crowded.relay.metrics(), "mailboat_submission_held_back_logins_total");
  assert.ok(heldBack > 0, "guesses at the owner's name are held back, and the owner is not");
  await until("all of it delivered", async () => (await crowded.relay.status()).spool.queuedRecipients === 0);
  assert.equal(crowded.hop.mails.length, sent);
});

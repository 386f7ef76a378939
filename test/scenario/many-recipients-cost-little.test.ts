/**
 * Messages of a thousand recipients, more than memory could hold, at a next hop that puts them all off: the relay stays small and
 * answers, and who sends a message of one recipient beside them does not wait.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const mebibyte = 2 ** 20;
const messages = 150;
const recipients = Array.from({ length: 1_000 }, (_, index) => `r${index}@example.org`);
/** Of a pod, as the operator sets it when the manifest does not. */
const podLimitBytes = 512 * mebibyte;

function percentile(times: readonly number[], part: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * part)] ?? 0;
}

test("messages of a thousand recipients stay within the pod's memory and hold up nobody", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    script: { recipient: () => "451 4.3.0 not now" },
    plan: {
      limits: { recipients: 1_000 },
      retry: { firstMs: 2_000, maxMs: 2_000, expireAfterMs: 6_000_000, notifyDelayAfterMs: 5_000_000 },
    },
    relay: { env: { NODE_OPTIONS: "--max-old-space-size=256" } },
  });
  const before = stage.relay.peakMemoryBytes();
  const listener = { name: "smtp", port: stage.relay.port("smtp") };
  const clients: WireClient[] = [];
  t.after(() => clients.forEach((client) => client.destroy()));
  const open = async (): Promise<WireClient> => {
    const client = await openSession(listener);
    clients.push(client);
    return client;
  };
  let next = 0;
  const large = Array.from({ length: 4 }, async () => {
    const client = await open();
    for (let number = next++; number < messages; number = next++) {
      const reply = await client.send(sender, recipients, simpleMessage(`large ${number}`));
      assert.equal(reply.code, 250, reply.text);
    }
  });
  const state = { isWatching: true };
  const times = async (act: () => Promise<void>): Promise<readonly number[]> => {
    const all: number[] = [];
    while (state.isWatching) {
      const startedAt = performance.now();
      await act();
      all.push(performance.now() - startedAt);
    }
    return all;
  };
  const small = await open();
  const commits = times(async () => {
    const reply = await small.send(sender, ["one@example.org"], simpleMessage("small"));
    assert.equal(reply.code, 250, reply.text);
  });
  const looks = times(async () => {
    const response = await fetch(`http://127.0.0.1:${stage.relay.port("http")}/healthz`);
    assert.equal(await response.text(), "ok\n");
  });
  await Promise.all(large);
  // Every recipient had an attempt, and many have their second.
  const attempts = async (): Promise<number> =>
    [
      ...(await stage.relay.metrics()).matchAll(/^mailboat_delivery_attempts_total\{outcome="deferred"\S* (\d+)/gm),
    ].reduce((sum, [, count]) => sum + Number(count), 0);
  await until("attempts for all", async () => (await attempts()) > messages * recipients.length * 1.2, 240_000);
  state.isWatching = false;
  const [committed, looked] = [await commits, await looks];
  const peak = stage.relay.peakMemoryBytes();
  t.diagnostic(
    `${Math.round(before / mebibyte)} MiB at the start, ${Math.round(peak / mebibyte)} MiB at most; a small message took ${Math.round(percentile(committed, 0.5))} ms, p99 ${Math.round(percentile(committed, 0.99))} ms, at most ${Math.round(Math.max(...committed))} ms; /healthz p99 ${Math.round(percentile(looked, 0.99))} ms, at most ${Math.round(Math.max(...looked))} ms`,
  );
  assert.ok(peak < podLimitBytes * 0.85, `${peak / mebibyte} MiB`);
  // The operator's probe waits five seconds; a claim of all that was due took most of it.
  assert.ok(percentile(looked, 0.99) < 1_500, `/healthz took ${percentile(looked, 0.99)} ms`);
  assert.ok(percentile(committed, 0.99) < 3_000, `a small message took ${percentile(committed, 0.99)} ms`);
});

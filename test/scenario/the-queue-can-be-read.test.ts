/** `relay spool` on 100,000 waiting messages: of a stopped relay, and beside one that goes on taking mail. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../runtime/clock.ts";
import { createLog } from "../../runtime/log.ts";
import { newMessage } from "../support/relayvalues.ts";
import { openStore } from "../../relay/spool/local/store.ts";
import { besideRelay, inspectWith, type Inspected } from "../support/inspection.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";

const messages = 100_000;
const atOnce = 2_000;
const senders = 40;
const destinations = 300;
const hour = 3_600_000;

/** Prints the highest resident set size of the program it is imported into, in KiB (getrusage(2)). */
const memoryProbe =
  'data:text/javascript,process.once("exit",()=>process.stderr.write(`peak ${process.resourceUsage().maxRSS} KiB\\n`))';

interface Measured extends Inspected {
  readonly seconds: number;
  readonly peakMiB: number;
}

async function measured(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<Measured> {
  const startedAt = performance.now();
  const inspected = await inspectWith({ ...env, NODE_OPTIONS: `--import=${encodeURI(memoryProbe)}` }, args);
  const seconds = (performance.now() - startedAt) / 1000;
  assert.equal(inspected.status, 0, inspected.err);
  return { ...inspected, seconds, peakMiB: Number(/peak (\d+) KiB/.exec(inspected.err)?.[1]) / 1024 };
}

/** All wait for an hour but the first ten, which were put off once. */
async function fill(directory: string): Promise<void> {
  const spool = await openStore({
    directory,
    clock: systemClock,
    log: createLog({ level: "silent", program: "test" }),
    capacity: () => ({ capacityBytes: 8 * 2 ** 30, highWatermarkPercent: 85 }),
    retryDelayMs: () => hour,
    ownerTimeoutMs: 10_000,
    onCommit: () => undefined,
    onLost: (error) => assert.fail(error),
  });
  try {
    const body = Buffer.alloc(2_000, "x");
    const commit = async (index: number): Promise<void> => {
      const { message, recipients, dueAt } = newMessage(
        { domain: `s${index % senders}.example`, body: { kind: "inline", bytes: body } },
        [
          { address: `someone@d${index % destinations}.example` },
          { address: `other@d${index % destinations}.example` },
        ],
      );
      await spool.commit({ message, recipients, dueAt: index < 10 ? dueAt : dueAt + hour });
    };
    for (let from = 0; from < messages; from += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, async (_, index) => commit(from + index)));
    }
    for (const { message, recipients } of await spool.claim({ now: Date.now(), limit: 10 })) {
      const reply = { code: 451, enhanced: "4.2.2", text: "<someone@d1.example> is over quota\u001b[31m" };
      const outcomes = recipients.map(({ index }) => ({
        kind: "deferred" as const,
        index,
        reply,
        dueAt: Date.now() + hour,
      }));
      await spool.settle({ id: message.id, outcomes });
    }
  } finally {
    await spool.close();
  }
}

function assertQueue(text: string): void {
  for (const pattern of [
    /^100,000 messages in the spool; the oldest 20 of them:$/m,
    /^ID +AGE +FROM +TO +ATTEMPTS +NEXT +LAST REPLY$/m,
    /^0\w{20} +(?:\d+ m )?[\d.]+ s +s0\.example +d0\.example \(2\) +1 +in \d+ m(?: \d+ s)? +451 4\.2\.2 <\*@d1\.example> is over quota \[31m$/m,
    /^0\w{20} .* s11\.example +d11\.example \(2\) +0 +in \d+ m(?: \d+ s)?$/m,
    /^d0\.example +668 +0$/m,
    /^and 280 other domains/m,
    /^s0\.example +2,500$/m,
  ])
    assert.match(text, pattern);
  assert.equal(text.match(/^0\w{20} /gm)?.length, 20);
  assert.doesNotMatch(text, /someone@|other@/);
  assert.ok(!text.includes("\u001b"), "an escape sequence of a next hop reaches the terminal");
}

test("100,000 waiting messages are shown in a moment, without and beside a relay", async (t) => {
  const stopped = makeResultsDirectory(import.meta.url, "relay");
  const spool = join(stopped, "spool");
  await fill(spool);

  const alone = await measured({}, ["spool", "--directory", spool, "--limit", "20"]);
  assertQueue(alone.out);
  t.diagnostic(`without a relay: ${alone.seconds.toFixed(2)} s, ${alone.peakMiB.toFixed(0)} MiB at most`);
  const json = JSON.parse((await measured({}, ["spool", "--directory", spool, "--limit", "5", "--json"])).out) as {
    readonly messages: number;
    readonly queue: readonly { readonly spoolId: string; readonly recipients: readonly unknown[] }[];
    readonly totals: { readonly destinations: readonly unknown[]; readonly senders: readonly unknown[] };
  };
  assert.deepEqual(
    [json.messages, json.queue.length, json.totals.destinations.length, json.totals.senders.length],
    [messages, 5, destinations, senders],
  );
  const oldest = json.queue[0]?.spoolId ?? "";
  const found = await measured({}, ["trace", oldest, "--directory", spool, "--port", "1"]);
  assert.match(found.out, /in the spool: 2 recipients at d0\.example, 1 attempt, next/);

  const stage = await openStage(t, {
    file: import.meta.url,
    name: "beside",
    relay: { spoolDirectory: spool },
    domains: ["example.com"],
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  const looks = { done: false };
  const looking = measured({ ...besideRelay(stage.relay), MAILBOAT_SPOOL_DIR: spool }, [
    "spool",
    "--limit",
    "20",
  ]).finally(() => {
    looks.done = true;
  });
  let slowestMs = 0;
  let sent = 0;
  while (!looks.done) {
    const startedAt = performance.now();
    const reply = await client.send(sender, ["now@ready.example"], simpleMessage(`during ${sent}`));
    assert.equal(reply.code, 250, reply.text);
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
    sent += 1;
  }
  client.destroy();
  const beside = await looking;
  assert.match(beside.out, /^100,0\d\d messages in the spool; the oldest 20 of them:$/m);
  t.diagnostic(
    `beside a relay: ${beside.seconds.toFixed(2)} s, ${beside.peakMiB.toFixed(0)} MiB at most; ${sent} messages accepted meanwhile, the slowest in ${slowestMs.toFixed(0)} ms`,
  );
  await stage.hop.waitForMails(sent);
  assert.deepEqual(stage.relay.program.logs("spool checkpoint is blocked"), []);
  // Of these two processes in one container of 512 MiB the looking one must leave room for the relay.
  for (const { seconds, peakMiB } of [alone, beside]) {
    assert.ok(peakMiB < 250, `${peakMiB} MiB`);
    assert.ok(seconds < 20, `${seconds} s`);
  }
});

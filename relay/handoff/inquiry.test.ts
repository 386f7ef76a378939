import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { spoolIdOf, type SpoolId } from "../spool/message/id.ts";
import type { HandoffSpool, OpenOffer } from "../spool/offers.ts";
import type { Known } from "./client.ts";
import { Inquiries } from "./inquiry.ts";

const open: OpenOffer = {
  id: spoolIdOf(1_800_000_000_000, Buffer.from("chance")),
  offer: "first",
  peer: { name: "outbound-0", host: "outbound-0.peers", port: 9465 },
};

interface Bench {
  readonly inquiries: Inquiries;
  /** What was asked and done, in order. */
  readonly steps: string[];
  readonly lines: Record<string, unknown>[];
}

/** What the monotonic clock shows. */
let elapsedMs = 0;

/** Time is the test's: each turn lets what is promised happen, then a second passes. */
async function pass(t: TestContext, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    elapsedMs += 1_000;
    t.mock.timers.tick(1_000);
  }
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

const dueAt = 1_800_000_000_000;

function benchFor(t: TestContext, answers: readonly Known["kind"][], trouble: Error[] = []): Bench {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const steps: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: "info" },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const done = async (step: string): Promise<void> => {
    const error = trouble.shift();
    if (error !== undefined) throw error;
    steps.push(step);
  };
  const spool: Pick<HandoffSpool, "takeBack"> = {
    takeBack: async (id: SpoolId) => {
      await done(`take back ${id}`);
      return dueAt;
    },
  };
  const queue = [...answers];
  const inquiries = new Inquiries({
    spool,
    client: {
      ask: async () => {
        steps.push("ask");
        const kind = queue.shift() ?? "unknown";
        return kind === "unknown" ? { kind, reason: "connection refused" } : { kind };
      },
    },
    finish: async ({ id }) => done(`finish ${id}`),
    onReturn: (at) => steps.push(`due at ${at}`),
    monotonic: () => elapsedMs,
    chance: () => 0,
    log,
  });
  t.after(() => inquiries.close());
  return { inquiries, steps, lines };
}

test("a peer that has the message ends the offer, however long it did not answer", async (t) => {
  const { inquiries, steps } = benchFor(t, ["unknown", "unknown", "has it"]);
  inquiries.add(open);
  await pass(t, 10);
  assert.deepEqual(steps, ["ask", "ask", "ask", `finish ${open.id}`]);
  assert.equal(inquiries.count, 0);
});

test("a message that the peer does not have is in the queue again", async (t) => {
  const { inquiries, steps } = benchFor(t, ["does not have it"]);
  inquiries.add(open);
  await pass(t, 1);
  assert.deepEqual(steps, ["ask", `take back ${open.id}`, `due at ${dueAt}`]);
});

test("after an hour without an answer the message is taken back, and the log says that the peer may have it", async (t) => {
  const { inquiries, steps, lines } = benchFor(t, []);
  inquiries.add(open);
  await pass(t, 3_590);
  assert.ok(steps.length > 50 && steps.every((step) => step === "ask"), `${steps.length}`);
  await pass(t, 120);
  assert.deepEqual(steps.slice(-2), [`take back ${open.id}`, `due at ${dueAt}`]);
  const [line] = lines;
  assert.deepEqual([line?.["msg"], line?.["peer"]], ["a message is taken back, its peer may have it", "outbound-0"]);
  assert.equal(lines.length, 1);
});

test("an end that the spool cannot keep is asked for again", async (t) => {
  const { inquiries, steps, lines } = benchFor(t, ["has it", "has it"], [new Error("disk full")]);
  inquiries.add(open);
  await pass(t, 3);
  assert.deepEqual(steps, ["ask", "ask", `finish ${open.id}`]);
  assert.equal(lines[0]?.["msg"], "could not end an offer in the spool");
});

test("a wall clock that is set forward does not end the wait for a peer", async (t) => {
  const { inquiries, steps } = benchFor(t, []);
  inquiries.add(open);
  await pass(t, 5);
  t.mock.timers.setTime(Date.now() + 2 * 3_600_000);
  await pass(t, 60);
  assert.ok(steps.length > 5 && steps.every((step) => step === "ask"), steps.join(", "));
});

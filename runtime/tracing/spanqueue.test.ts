import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { createLog } from "../log.ts";
import { SpanQueue, type BatchExporter } from "./spanqueue.ts";
import type { SpanRecord } from "./spanrecord.ts";

const span: SpanRecord = {
  name: "x",
  kind: SpanKind.INTERNAL,
  context: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 },
  parent: undefined,
  startedAt: 0,
  endedAt: 0,
  attributes: {},
  events: [],
  links: [],
  status: SpanStatusCode.UNSET,
};

interface Bench {
  readonly queue: SpanQueue;
  readonly dropped: Map<string, number>;
  exported: number;
}

function bench(): Bench {
  const dropped = new Map<string, number>();
  const counts = {
    spansExported: (count: number) => void (made.exported += count),
    spansDropped: (reason: string, count: number) => void dropped.set(reason, (dropped.get(reason) ?? 0) + count),
  };
  const log = createLog({ level: "silent", program: "test" });
  const made: Bench = { queue: new SpanQueue({ log, counts }), dropped, exported: 0 };
  return made;
}

/** Takes batches and answers each when it is told to. */
function heldExporter(): {
  readonly exporter: BatchExporter;
  readonly batches: number[];
  answer(failure?: string): void;
} {
  const batches: number[] = [];
  const waiting: ((failure: string | undefined) => void)[] = [];
  return {
    exporter: {
      export: (spans) => {
        batches.push(spans.length);
        return new Promise((resolve) => waiting.push(resolve));
      },
    },
    batches,
    answer: (failure) => waiting.shift()?.(failure),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function addMany(queue: SpanQueue, count: number): void {
  for (let index = 0; index < count; index += 1) queue.add(span);
}

test("one batch is under way at a time, and the next follows at once", async () => {
  const { queue } = bench();
  const held = heldExporter();
  queue.exportBy(held.exporter);
  addMany(queue, 1_100);
  assert.deepEqual(held.batches, [512]);
  held.answer();
  await turn();
  assert.deepEqual(held.batches, [512, 512]);
});

test("what does not fit is dropped and counted, what the collector does not take as well", async () => {
  const made = bench();
  const held = heldExporter();
  made.queue.exportBy(held.exporter);
  addMany(made.queue, 512 + 8_192 + 100);
  assert.deepEqual([...made.dropped], [["queue_full", 100]]);
  held.answer("no");
  await turn();
  assert.equal(made.dropped.get("export_failed"), 512);
  held.answer();
  await turn();
  assert.equal(made.exported, 512);
});

test("close() exports what is there, and counts what is left at the deadline", async () => {
  const made = bench();
  made.queue.exportBy({ export: () => Promise.resolve(undefined) });
  addMany(made.queue, 700);
  await made.queue.close(1_000);
  assert.equal(made.exported, 700);

  const stuck = bench();
  stuck.queue.exportBy(heldExporter().exporter);
  addMany(stuck.queue, 700);
  await stuck.queue.close(10);
  addMany(stuck.queue, 1);
  assert.equal(stuck.exported, 0);
  assert.deepEqual(
    [...stuck.dropped],
    [
      ["export_failed", 188],
      ["queue_full", 1],
    ],
  );
});

test("without an endpoint nothing is kept and nothing counts as lost", async () => {
  const made = bench();
  addMany(made.queue, 10);
  await made.queue.close(10);
  assert.deepEqual([made.exported, made.dropped.size], [0, 0]);
});

test("a new exporter takes what was waiting for the old one", async () => {
  const { queue } = bench();
  const old = heldExporter();
  queue.exportBy(old.exporter);
  addMany(queue, 1_100);
  const next = heldExporter();
  queue.exportBy(next.exporter);
  old.answer();
  await turn();
  assert.deepEqual([old.batches, next.batches], [[512], [512]]);
});

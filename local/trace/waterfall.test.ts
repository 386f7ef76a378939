import assert from "node:assert/strict";
import { test } from "node:test";
import { painter } from "../terminal/paint.ts";
import { drawWaterfall } from "./draw.ts";
import { SpanGathering } from "./gathering.ts";
import { parseSpanLine, type PodSpan } from "./spanline.ts";
import { durationText, waterfalls } from "./waterfall.ts";

const spoolId = "0mwwpbtf46f4046a3f5fe";
const traceId = "0af7651916cd43dd8448eb211c80319c";

interface Draft {
  readonly id: string;
  readonly parent?: string;
  readonly name: string;
  readonly at: readonly [startMs: number, endMs: number];
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly error?: string;
  readonly pod?: string;
  readonly trace?: string;
}

function span(draft: Draft): PodSpan {
  const fields = {
    msg: "span",
    level: "info",
    traceId: draft.trace ?? traceId,
    spanId: draft.id.padStart(16, "0"),
    ...(draft.parent === undefined ? {} : { parentSpanId: draft.parent.padStart(16, "0") }),
    name: draft.name,
    kind: "INTERNAL",
    startMs: 1_000_000 + draft.at[0],
    endMs: 1_000_000 + draft.at[1],
    attributes: { "mailboat.spool.id": spoolId, ...draft.attributes },
    status: draft.error === undefined ? { code: "UNSET" } : { code: "ERROR", message: draft.error },
  };
  const parsed = parseSpanLine(fields);
  assert.ok(parsed !== undefined);
  return { pod: draft.pod ?? "mail.outbound-0", span: parsed };
}

/** In the order they end, as a relay prints them. */
const delivered = [
  span({ id: "3", parent: "2", name: "mail.spool", at: [6, 9] }),
  span({ id: "2", parent: "f", name: "smtp.receive", at: [0, 10], attributes: { "mailboat.listener": "submission" } }),
  span({ id: "5", parent: "4", name: "mail.sign", at: [12, 13.5] }),
  span({
    id: "6",
    parent: "4",
    name: "smtp.send",
    at: [14, 30],
    attributes: { "server.address": "127.0.0.1", "server.port": 2525, "smtp.reply.code": 250 },
  }),
  span({
    id: "4",
    parent: "3",
    name: "mail.deliver",
    at: [11, 40],
    attributes: { "mailboat.attempt": 1, "mailboat.outcome": "delivered" },
  }),
];

test("a waterfall is a tree in the order of time, whose root may have a parent elsewhere", () => {
  const [waterfall, ...others] = waterfalls(delivered);
  assert.deepEqual(others, []);
  assert.ok(waterfall !== undefined);
  assert.deepEqual(
    waterfall.rows.map((row) => [row.depth, row.name, row.offsetMs, row.durationMs, row.tone, row.note]),
    [
      [0, "smtp.receive", 0, 10, "plain", "on submission"],
      [1, "mail.spool", 6, 3, "plain", ""],
      [2, "mail.deliver", 11, 29, "good", "attempt 1 delivered"],
      [3, "mail.sign", 12, 1.5, "plain", ""],
      [3, "smtp.send", 14, 16, "plain", "to 127.0.0.1:2525 250"],
    ],
  );
  assert.equal(waterfall.durationMs, 40);
});

test("each trace is a waterfall of its own, the earliest first", () => {
  const retry = span({
    id: "9",
    name: "mail.deliver",
    at: [2_000, 2_010],
    trace: "b".repeat(32),
    attributes: { "mailboat.attempt": 2, "mailboat.outcome": "deferred" },
    error: "451 4.3.0 not now",
  });
  const found = waterfalls([retry, ...delivered]);
  assert.deepEqual(
    found.map((one) => one.traceId),
    [traceId, "b".repeat(32)],
  );
  assert.deepEqual(
    found[1]?.rows.map((row) => [row.tone, row.note]),
    [["warning", "attempt 2 deferred 451 4.3.0 not now"]],
  );
});

const sendings: readonly (readonly [code: number | undefined, tone: string])[] = [
  [451, "warning"],
  [550, "bad"],
  [undefined, "warning"],
];
for (const [code, tone] of sendings) {
  test(`a transfer that ends with ${code ?? "no answer"} is ${tone}`, () => {
    const attributes = code === undefined ? {} : { "smtp.reply.code": code };
    const [waterfall] = waterfalls([span({ id: "6", name: "smtp.send", at: [0, 9], attributes, error: "no" })]);
    assert.deepEqual(
      waterfall?.rows.map((row) => row.tone),
      [tone],
    );
  });
}

test("a waterfall in the terminal is read without colours", () => {
  const [waterfall] = waterfalls(delivered);
  assert.ok(waterfall !== undefined);
  assert.deepEqual(drawWaterfall(waterfall, painter(false)), [
    "         smtp.receive     |=======                     |   10 ms on submission",
    "           mail.spool     |    ==                      |  3.0 ms",
    "             mail.deliver |       ==================== |   29 ms attempt 1 delivered",
    "               mail.sign  |        =                   |  1.5 ms",
    "               smtp.send  |         ===========        |   16 ms to 127.0.0.1:2525 250",
  ]);
});

test("a narrow terminal cuts what is said of a hop, and a very narrow one has no bars", () => {
  const [waterfall] = waterfalls(delivered);
  assert.ok(waterfall !== undefined);
  assert.deepEqual(drawWaterfall(waterfall, painter(false), 62).slice(-2), [
    "               mail.sign  |   =        |  1.5 ms",
    "               smtp.send  |    =====   |   16 ms to 127.0.0.1…",
  ]);
  for (const columns of [200, 100, 80, 62, 40]) {
    for (const line of drawWaterfall(waterfall, painter(false), columns)) assert.ok(line.length <= columns, line);
  }
  assert.doesNotMatch(drawWaterfall(waterfall, painter(false), 40).join(), /[|=]/);
});

test("with two relays a line says which", () => {
  const [waterfall] = waterfalls([
    ...delivered,
    span({ id: "7", parent: "6", name: "smtp.receive", at: [16, 28], pod: "mail.edge-0" }),
  ]);
  assert.ok(waterfall !== undefined);
  const lines = drawWaterfall(waterfall, painter(false));
  assert.match(lines.at(-1) ?? "", /^ {17}smtp\.receive .* mail\.edge-0$/);
  assert.match(lines[0] ?? "", /mail\.outbound-0$/);
});

const durations = [
  [0.04, "0.0 ms"],
  [3.44, "3.4 ms"],
  [12.4, "12 ms"],
  [999, "999 ms"],
  [1_250, "1.25 s"],
  [61_000, "61.0 s"],
] as const;
for (const [ms, text] of durations) {
  test(`${ms} ms is spelled ${text}`, () => assert.equal(durationText(ms), text));
}

test("hops are told once, when the attempt has ended", () => {
  const gathering = new SpanGathering();
  assert.deepEqual(
    delivered.map((entry) => gathering.take(entry)),
    [false, false, false, false, true],
  );
  assert.deepEqual(
    [...gathering.ended()].map(([id, one]) => [id, one.rows.length]),
    [[spoolId, 5]],
  );
  assert.equal(gathering.ended().size, 0);
});

test("a trace that the next relay continues is told once, when that one has tried too", () => {
  const next = { "mailboat.spool.id": "0mwwpbtg17fffc9dbc39f" };
  const arrival = span({ id: "7", parent: "6", name: "smtp.receive", at: [16, 28], attributes: next });
  const attempt = span({ id: "8", parent: "7", name: "mail.deliver", at: [29, 60], attributes: next });
  const gathering = new SpanGathering();
  for (const entry of [arrival, ...delivered]) gathering.take(entry);
  assert.equal(gathering.ended().size, 0);
  gathering.take(attempt);
  assert.deepEqual(
    [...gathering.ended()].map(([id, one]) => [id, one.rows.length]),
    [["0mwwpbtg17fffc9dbc39f", 7]],
  );
});

test("what comes after a trace was told is told without it", () => {
  const gathering = new SpanGathering();
  for (const entry of delivered) gathering.take(entry);
  gathering.ended();
  const notice = { "mailboat.spool.id": "0mwwpbtg17fffc9dbc39f" };
  gathering.take(span({ id: "8", parent: "4", name: "mail.deliver", at: [50, 60], attributes: notice }));
  assert.deepEqual(
    [...gathering.ended()].map(([id, one]) => [id, one.rows.length]),
    [["0mwwpbtg17fffc9dbc39f", 1]],
  );
});

const broken: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ["another line", { msg: "delivered" }],
  ["a span without a trace", { ...delivered[0]?.span, traceId: "" }],
  ["a span without an end", { ...delivered[0]?.span, endMs: undefined }],
  ["a span whose name is no text", { ...delivered[0]?.span, name: 7 }],
];
for (const [name, fields] of broken) {
  test(`${name} is no span`, () => assert.equal(parseSpanLine(fields), undefined));
}

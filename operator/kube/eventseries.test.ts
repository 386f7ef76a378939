import assert from "node:assert/strict";
import { test } from "node:test";
import { EventBook, type EventLimits } from "./eventseries.ts";
import type { KubeEvent } from "./kube.ts";

const limits: EventLimits = { seriesMs: 10_000, writeMs: 1_000, burst: 2, refillMs: 5_000, remembered: 3 };

function eventOf(note: string, name = "outbound", reason = "Invalid"): KubeEvent {
  return { regarding: { kind: "MailRelay", namespace: "mail", name }, type: "Warning", reason, note };
}

test("the first is created, the first repeat told at once, later ones in one go", () => {
  const book = new EventBook(limits);
  const said = [0, 10, 20, 500, 1_020, 1_030].map((now) => {
    const verdict = book.judge(eventOf("a"), `e${now}`, now);
    return verdict.kind === "hold" ? "hold" : `${verdict.kind} ${verdict.series.name} ${verdict.series.count}`;
  });
  assert.deepEqual(said, ["create e0 1", "update e0 2", "hold", "hold", "update e0 5", "hold"]);
});

test("a repeat after a long time is a new event", () => {
  const book = new EventBook(limits);
  book.judge(eventOf("a"), "first", 0);
  assert.deepEqual(book.judge(eventOf("a"), "second", 10_000).kind, "create");
});

test("ever new words about one thing are cut short, other reasons and objects are not", () => {
  const book = new EventBook(limits);
  const kinds = ["a", "b", "c", "d"].map((note) => book.judge(eventOf(note), note, 0).kind);
  assert.deepEqual(kinds, ["create", "create", "hold", "hold"]);
  assert.equal(book.dropped, 2);
  assert.equal(book.judge(eventOf("e", "other"), "e", 0).kind, "create");
  assert.equal(book.judge(eventOf("f", "outbound", "Other"), "f", 0).kind, "create");
  assert.equal(book.judge(eventOf("g"), "g", 5_000).kind, "create");
});

test("what is remembered is bounded: the oldest series begins anew", () => {
  const book = new EventBook(limits);
  for (const name of ["a", "b", "c", "d"]) book.judge(eventOf("x", name), name, 0);
  assert.equal(book.judge(eventOf("x", "d"), "again", 1).kind, "update");
  assert.equal(book.judge(eventOf("x", "a"), "again", 1).kind, "create");
});

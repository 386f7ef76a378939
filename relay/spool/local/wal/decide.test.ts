import assert from "node:assert/strict";
import { test } from "node:test";
import { blockedPages, endLogPages, isWorthFreeing, decideCheckpoint } from "./decide.ts";

const copied = (logPages: number, copiedPages: number) => ({ kind: "copied", logPages, copiedPages }) as const;
const failed = { kind: "failed", error: "disk I/O error" } as const;

const rows = [
  { name: "all copied", report: copied(10, 10), verdict: ["complete", false, undefined] },
  { name: "no log at all", report: copied(-1, -1), verdict: ["complete", false, undefined] },
  { name: "some left", report: copied(10, 3), verdict: ["partial", false, 1_000] },
  {
    name: "a long log, nearly copied",
    report: copied(endLogPages * 3, endLogPages * 2 + 1),
    verdict: ["partial", true, 1_000],
  },
  {
    name: "a long log, too much left",
    report: copied(endLogPages * 3, endLogPages),
    verdict: ["partial", false, 1_000],
  },
  {
    name: "a long log, all copied",
    report: copied(endLogPages + 1, endLogPages + 1),
    verdict: ["complete", true, undefined],
  },
  { name: "a reader that stays", report: copied(blockedPages + 2, 1), verdict: ["blocked", false, 1_000] },
] as const;

for (const { name, report, verdict } of rows) {
  test(`decideCheckpoint() of ${name}`, () => {
    const { result, endLog, againMs } = decideCheckpoint(report, 0);
    assert.deepEqual([result, endLog, againMs], verdict);
  });
}

test("a checkpoint that failed is tried again, later and later, and never given up", () => {
  const pauses = Array.from({ length: 100 }, (_, index) => decideCheckpoint(failed, index + 1));
  assert.deepEqual(
    pauses.slice(0, 7).map(({ againMs }) => againMs),
    [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000],
  );
  assert.ok(pauses.every(({ result, endLog, againMs }) => result === "failed" && !endLog && againMs !== undefined));
});

test("free pages are given back when they are many, and a large part of the file", () => {
  const mebibyte = 2 ** 20;
  assert.equal(isWorthFreeing({ databaseBytes: 100 * mebibyte, freeBytes: 65 * mebibyte }), true);
  assert.equal(isWorthFreeing({ databaseBytes: 10 * mebibyte, freeBytes: 63 * mebibyte }), false);
  assert.equal(isWorthFreeing({ databaseBytes: 900 * mebibyte, freeBytes: 200 * mebibyte }), false);
});

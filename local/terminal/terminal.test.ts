import assert from "node:assert/strict";
import { test } from "node:test";
import { terminalOn } from "./terminal.ts";
import { exitUnderMake, interruptMake } from "./undermake.ts";
import { cut, widthOf } from "./width.ts";

const tty = { write: () => true, isTTY: true, columns: 80 };
const pipe = { write: () => true };

const colours: readonly (readonly [
  what: string,
  stream: typeof tty | typeof pipe,
  env: Record<string, string>,
  has: boolean,
])[] = [
  ["a terminal", tty, {}, true],
  ["a pipe, as in CI", pipe, { TERM: "xterm-256color", CI: "true" }, false],
  ["a terminal with NO_COLOR", tty, { NO_COLOR: "1" }, false],
  ["a terminal with an empty NO_COLOR", tty, { NO_COLOR: "" }, true],
  ["NO_COLOR beside FORCE_COLOR", tty, { NO_COLOR: "1", FORCE_COLOR: "1" }, false],
  ["a pipe with FORCE_COLOR", pipe, { FORCE_COLOR: "1" }, true],
  ["a terminal with FORCE_COLOR=0", tty, { FORCE_COLOR: "0" }, false],
  ["a dumb terminal", tty, { TERM: "dumb" }, false],
];
for (const [what, stream, environment, has] of colours) {
  test(`${what} has ${has ? "" : "no "}colours`, () => {
    assert.equal(terminalOn(stream, environment).paint("bad", "x"), has ? "\u001b[31mx\u001b[0m" : "x");
  });
}

test("a width is that of the window at the moment, and none where there is no window or it has no size", () => {
  const window = { ...tty };
  const terminal = terminalOn(window, {});
  assert.equal(terminal.columns(), 80);
  window.columns = 40;
  assert.equal(terminal.columns(), 40);
  window.columns = 0;
  assert.equal(terminal.columns(), undefined);
  assert.equal(terminalOn({ ...pipe, columns: 80 }, {}).columns(), undefined);
});

test("a clock has two digits each, whatever the language", () => {
  const time = new Date(2026, 10, 30, 7, 5, 9);
  assert.equal(terminalOn(pipe, { LANG: "ar_EG.UTF-8" }).clock(time.toISOString()), "07:05:09");
});

const cuts: readonly (readonly [text: string, columns: number, shown: string])[] = [
  ["plain", 5, "plain"],
  ["plain", 4, "pla…"],
  ["plain", 1, "…"],
  ["plain", 0, ""],
  ["日本語", 6, "日本語"],
  ["日本語", 5, "日本…"],
  ["日本語", 4, "日…"],
  ["e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"],
  ["🚢🚢🚢", 5, "🚢🚢…"],
  ["x".repeat(1_000_000), 3, "xx…"],
];
for (const [text, columns, shown] of cuts) {
  test(`${text.slice(0, 12)} in ${columns} columns is ${shown}`, () => {
    assert.equal(cut(text, columns), shown);
    assert.ok(widthOf(shown) <= columns);
  });
}

test("make is ended silently where it asks for it, and nobody else", () => {
  const ended: string[] = [];
  const exit = (code: number, environment: Record<string, string>): number =>
    exitUnderMake(code, environment, () => ended.push(`make after ${code}`) > 0);
  assert.equal(exit(2, {}), 2);
  assert.equal(exit(0, { MAILBOAT_ENDS_MAKE: "1" }), 0);
  assert.deepEqual(ended, []);
  assert.equal(exit(2, { MAILBOAT_ENDS_MAKE: "1" }), 0);
  assert.deepEqual(ended, ["make after 2"]);
});

const parents: readonly (readonly [what: string, make: number, parent: number, interrupted: readonly number[]])[] = [
  ["make that waits for us", 700, 700, [700]],
  ["the first process, that took us over from a make that is gone", 700, 1, []],
  ["another one, that took us over", 700, 650, []],
  ["the first process, that started us", 1, 1, []],
  ["nobody whom we see", 0, 0, []],
];
for (const [what, make, parent, interrupted] of parents) {
  test(`${what} is ${interrupted.length === 0 ? "not " : ""}interrupted`, () => {
    const told: number[] = [];
    const environment = { MAILBOAT_ENDS_MAKE: "1" };
    const code = exitUnderMake(2, environment, () => interruptMake(make, parent, (pid) => told.push(pid)));
    assert.deepEqual(told, interrupted);
    assert.equal(code, interrupted.length === 0 ? 2 : 0, "the code is kept when nobody is told");
  });
}

test("a make that may not be interrupted costs the exit code nothing", () => {
  const refuse = (): never => {
    throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
  };
  assert.equal(interruptMake(700, 700, refuse), false);
});

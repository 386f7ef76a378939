import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "../../runtime/terminal.ts";
import { renderTable } from "./table.ts";
import { replyWords, counted, elapsed, until } from "./figures.ts";

const times = [
  [-5, "0.000 s"],
  [412, "0.412 s"],
  [42_900, "42 s"],
  [300_000, "5 m"],
  [303_000, "5 m 3 s"],
  [3_600_000, "1 h"],
  [11_520_000, "3 h 12 m"],
  [187_200_000, "2 d 4 h"],
] as const;

for (const [ms, words] of times) {
  test(`${ms} ms reads ${words}`, () => {
    assert.equal(elapsed(ms), words);
  });
}

test("what is due is now, what will be says when", () => {
  assert.deepEqual([until(5, 5), until(4, 5), until(20_005, 5)], ["now", "now", "in 20 s"]);
});

test("one is not many", () => {
  assert.deepEqual(
    [0, 1, 2, 1_200].map((count) => counted(count, "message")),
    ["0 messages", "1 message", "2 messages", "1,200 messages"],
  );
});

test("what came from elsewhere cannot move the cursor, and names nobody", () => {
  assert.equal(printable("a\u001b[31m\r\nb\u202ec\u2028d"), "a [31m b c d");
  const reply = { code: 550, enhanced: "5.1.1", text: '<jo@b.example> and "j o"@b.example\nunknown' };
  assert.equal(replyWords(reply), "550 5.1.1 <*@b.example> and *@b.example unknown");
});

test("renderTable() lets no cell move the cursor or begin a line", () => {
  const table = renderTable([{ title: "TO" }, { title: "N" }], [["a\u001b[2J\r\nb.test", "1"]]);
  assert.equal(table, "TO            N\na [2J b.test  1\n");
});

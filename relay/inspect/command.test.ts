import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommand } from "./command.ts";

const queue = { kind: "queue" } as const;
const none = { json: false, directory: undefined };

const rows = [
  { typed: ["spool"], command: { verb: "spool", show: queue, limit: 100, ...none } },
  {
    typed: ["spool", "--limit", "5", "--json"],
    command: { verb: "spool", show: queue, limit: 5, ...none, json: true },
  },
  {
    typed: ["spool", "--directory", "/s"],
    command: { verb: "spool", show: queue, limit: 100, ...none, directory: "/s" },
  },
  { typed: ["spool", "--unreadable"], command: { verb: "spool", show: { kind: "unreadable" }, limit: 100, ...none } },
  {
    typed: ["spool", "--export", "12"],
    command: { verb: "spool", show: { kind: "export", row: 12 }, limit: 100, ...none },
  },
  {
    typed: ["spool", "--captured", "--json"],
    command: { verb: "spool", show: { kind: "captured" }, limit: 100, ...none, json: true },
  },
  { typed: ["spool", "--eml", "7"], command: { verb: "spool", show: { kind: "eml", row: 7 }, limit: 100, ...none } },
  { typed: ["trace", "0m1"], command: { verb: "trace", id: "0m1", ...none, port: undefined } },
  {
    typed: ["trace", "--json", " <a@b> "],
    command: { verb: "trace", id: "<a@b>", ...none, json: true, port: undefined },
  },
  { typed: ["trace", "0m1", "--port=9465"], command: { verb: "trace", id: "0m1", ...none, port: 9465 } },
] as const;

for (const { typed, command } of rows) {
  const [verb, ...args] = typed;
  test(`${typed.join(" ")} is understood`, () => {
    assert.deepEqual(readCommand(verb, args), command);
  });
}

const wrong = [
  [["spool", "--limit", "10001"], /--limit must be a number from 1 to 10000/],
  [["spool", "--limit=-1"], /--limit/],
  [["spool", "all"], /takes no all/],
  [["spool", "--export", "0m1"], /--export must be the number of a row/],
  [["spool", "--export", "1", "--unreadable"], /--export and --unreadable do not go together/],
  [["spool", "--captured", "--eml", "1"], /--eml and --captured do not go together/],
  [["spool", "--eml", "message"], /--eml must be the number of a row/],
  [["trace"], /one spool id or Message-ID/],
  [["trace", " "], /between 1 and 1000/],
  [["trace", "x".repeat(1_001)], /between 1 and 1000/],
  [["trace", "a", "--port", "65536"], /--port must be/],
  [["trace", "a", "--limit", "1"], /--limit/],
] as const;

for (const [typed, words] of wrong) {
  const [verb, ...args] = typed;
  test(`${typed.join(" ").slice(0, 40)} is refused with what is wrong`, () => {
    const command = readCommand(verb, args);
    assert.ok(command.verb === "wrong");
    assert.match(command.reason, words);
  });
}

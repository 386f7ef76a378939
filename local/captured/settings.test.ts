import assert from "node:assert/strict";
import { test } from "node:test";
import { readSettings } from "./settings.ts";

const beside = { MAILBOAT_SPOOL_DIR: "/var/lib/mailboat/spool" };

test("readSettings() takes the relay's own spool and port 8025, or what is typed", () => {
  assert.deepEqual(readSettings([], beside), { directory: "/var/lib/mailboat/spool", port: 8025 });
  assert.deepEqual(readSettings(["--directory", "x", "--port", "0"], beside), { directory: "x", port: 0 });
  assert.equal(readSettings(["--help"], {}), undefined);
});

test("readSettings() says what is wrong and what to write", () => {
  for (const [args, environment, words] of [
    [[], {}, /say where the spool is, with --directory or MAILBOAT_SPOOL_DIR/],
    [["--port", "70000"], beside, /--port: /],
    [["--port", "x"], beside, /--port: /],
    [["all"], beside, /all/],
    [["--spool", "x"], beside, /--spool/],
  ] as const)
    assert.throws(() => readSettings(args, environment), { name: "UsageError", message: words });
});

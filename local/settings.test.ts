import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommand } from "./settings.ts";

const defaults = {
  manifests: "examples/local",
  state: ".mailboat",
  host: "127.0.0.1",
  logLevel: "info",
  keep: 1000,
  quiet: false,
};

test("readCommand() takes flags before the environment and the environment before defaults", () => {
  assert.deepEqual(readCommand(["run"], {}), { verb: "run", settings: defaults });
  assert.deepEqual(readCommand(["run"], { MANIFESTS: "m", STATE: "" }), {
    verb: "run",
    settings: { ...defaults, manifests: "m" },
  });
  assert.deepEqual(readCommand(["demo", "--manifests", "f", "--state=s"], { MANIFESTS: "m" }), {
    verb: "demo",
    settings: { ...defaults, manifests: "f", state: "s" },
  });
  assert.deepEqual(readCommand(["run", "--keep", "5"], { KEEP: "7" }), {
    verb: "run",
    settings: { ...defaults, keep: 5 },
  });
  assert.deepEqual(readCommand(["run"], { KEEP: "7", PAGE_PORT: "8026" }), {
    verb: "run",
    settings: { ...defaults, keep: 7, pagePort: 8026 },
  });
  assert.deepEqual(readCommand(["--help"], {}), { verb: "help" });
});

test("readCommand() reads what looks at a state folder", () => {
  assert.deepEqual(readCommand(["trace"], { ID: "<a b@example.com>", STATE: "s" }), {
    verb: "trace",
    state: "s",
    id: "<a b@example.com>",
  });
  assert.deepEqual(readCommand(["trace", "--id", "0mff"], { ID: "other" }), {
    verb: "trace",
    state: ".mailboat",
    id: "0mff",
  });
  assert.deepEqual(readCommand(["trace"], {}), { verb: "trace", state: ".mailboat", id: undefined });
  assert.deepEqual(readCommand(["spool", "--state", "s"], {}), { verb: "spool", state: "s" });
  assert.deepEqual(readCommand(["clear"], {}), { verb: "clear", state: ".mailboat", force: false });
  assert.deepEqual(readCommand(["clear", "--force"], {}), { verb: "clear", state: ".mailboat", force: true });
  assert.deepEqual(readCommand(["clear"], { FORCE: "1" }), { verb: "clear", state: ".mailboat", force: false });
  assert.deepEqual(readCommand(["clear"], { MAILBOAT_FORCE: "1" }), { verb: "clear", state: ".mailboat", force: true });
});

const switches: readonly (readonly [value: string | undefined, isOn: boolean])[] = [
  [undefined, false],
  ["", false],
  ["0", false],
  ["no", false],
  ["False", false],
  ["1", true],
  ["yes", true],
];
for (const [value, isOn] of switches) {
  test(`QUIET=${value ?? "(unset)"} is ${isOn ? "quiet" : "not quiet"}`, () => {
    const command = readCommand(["run"], { QUIET: value });
    assert.ok("settings" in command);
    assert.equal(command.settings.quiet, isOn);
  });
}

const refusals: readonly (readonly [string, readonly string[], string | RegExp])[] = [
  ["no verb", [], /^which verb\? `run`, `demo`, `trace`, `spool` or `clear`/],
  ["an unknown verb", ["cluster"], /^unknown verb cluster: there are `run`, `demo`, `trace`, `spool` or `clear`/],
  ["an unknown flag", ["run", "--manifest", "x"], "--manifest is no flag: did you mean --manifests? --help lists them"],
  ["a flag in capitals", ["run", "--STATE=x"], "--STATE is no flag: did you mean --state? --help lists them"],
  ["the start of a flag", ["run", "-q"], "-q is no flag: did you mean --quiet? --help lists them"],
  ["a flag that is like no other", ["run", "--colour"], "--colour is no flag: --help lists them"],
  ["a flag of another verb", ["spool", "--quiet"], /^--quiet is no flag of `spool`/],
  ["a flag without its value", ["run", "--state"], "--state needs a folder behind it"],
  ["a flag instead of a value", ["run", "--state", "--quiet"], "--state needs a folder behind it"],
  ["a value for a flag that has none", ["run", "--quiet=1"], "--quiet stands alone: leave 1 out"],
  ["a folder without a name", ["run", "--state", ""], "--state (STATE) must name a folder"],
  ["a stray word", ["run", "dir"], /unexpected dir/],
  ["a page port that is none", ["run", "--page-port", "http"], "--page-port (PAGE_PORT) must be a port, 1 to 65535"],
  ["a number of messages that is none", ["run", "--keep", "0"], "--keep (KEEP) must be a whole number, 1 to 10000"],
  ["a host that is no address", ["run", "--host", "here"], /^--host \(LISTEN_HOST\) must be an IP address/],
];

for (const [name, args, message] of refusals) {
  test(`readCommand() refuses ${name} and says what to do`, () => {
    assert.throws(() => readCommand(args, {}), { name: "UsageError", message });
  });
}

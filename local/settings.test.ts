import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommand } from "./settings.ts";

test("readCommand() takes flags before the environment and the environment before defaults", () => {
  const defaults = { manifests: "examples/local", state: ".mailboat", host: "127.0.0.1", logLevel: "info", keep: 1000 };
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
  assert.deepEqual(readCommand(["run"], { KEEP: "7" }), { verb: "run", settings: { ...defaults, keep: 7 } });
  assert.deepEqual(readCommand(["--help"], {}), { verb: "help" });
});

const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["no verb", [], /which verb\? `run` or `demo`/],
  ["an unknown verb", ["cluster"], /unknown verb cluster: there are `run` or `demo`/],
  ["an unknown flag", ["run", "--manifest", "x"], /Unknown option '--manifest'.*--help/s],
  ["a flag without its value", ["run", "--state"], /--state/],
  ["a stray word", ["run", "dir"], /unexpected dir/],
  ["a page port that is none", ["run", "--page-port", "http"], /pagePort: must be a port/],
  ["a number of messages that is none", ["run", "--keep", "0"], /keep: must be a whole number, 1 to 10000/],
  ["a host that is no address", ["run", "--host", "here"], /host: must be an IP address/],
];

for (const [name, args, message] of refusals) {
  test(`readCommand() refuses ${name} and says what to do`, () => {
    assert.throws(() => readCommand(args, {}), { name: "UsageError", message });
  });
}

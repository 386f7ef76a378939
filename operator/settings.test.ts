import assert from "node:assert/strict";
import { test } from "node:test";
import { readCommand } from "./settings.ts";

test("readCommand() takes flags before the environment and the environment before defaults", () => {
  const defaults = { manifests: "examples/local", state: ".mailboat", host: "127.0.0.1", logLevel: "info" };
  assert.deepEqual(readCommand(["local"], {}), { verb: "local", settings: defaults });
  assert.deepEqual(readCommand(["local"], { MANIFESTS: "m", STATE: "" }), {
    verb: "local",
    settings: { ...defaults, manifests: "m" },
  });
  assert.deepEqual(readCommand(["local", "--manifests", "f", "--state=s"], { MANIFESTS: "m" }), {
    verb: "local",
    settings: { ...defaults, manifests: "f", state: "s" },
  });
  assert.deepEqual(readCommand(["--help"], {}), { verb: "help" });
});

test("readCommand() of release knows whose lease and which namespaces, and no image", () => {
  const command = readCommand(["release"], { WATCH_NAMESPACES: "mail,shop", POD_NAMESPACE: "system", POD_NAME: "p" });
  assert.deepEqual(command, {
    verb: "release",
    settings: {
      kubeconfig: undefined,
      context: undefined,
      namespaces: ["mail", "shop"],
      namespace: "system",
      leaseName: "mailboat-operator",
      identity: "p",
      logLevel: "info",
      patienceMs: 30_000,
    },
  });
  assert.throws(() => readCommand(["release", "--relay-image", "i"], {}), /--relay-image is no flag of `release`/);
});

const refusals: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["no verb", [], /which verb/],
  ["an unknown verb", ["cluster"], /unknown verb cluster/],
  ["an unknown flag", ["local", "--manifest", "x"], /Unknown option '--manifest'.*--help/s],
  ["a flag without its value", ["local", "--state"], /--state/],
  ["a stray word", ["local", "dir"], /unexpected dir/],
  ["a page port that is none", ["local", "--page-port", "http"], /pagePort: must be a port/],
  ["a host that is no address", ["local", "--host", "here"], /host: must be an IP address/],
];

for (const [name, args, message] of refusals) {
  test(`readCommand() refuses ${name} and says what to do`, () => {
    assert.throws(() => readCommand(args, {}), { name: "UsageError", message });
  });
}

/** Which test files share a process, and that one which leaves something behind is named. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/results.ts";
import type { Outcome } from "./outcome.ts";
import { shareProcesses } from "./sharing.ts";

const files = new Map(
  Object.entries({
    "api/pure.ts": 'import { isIP } from "node:net";\nimport type { Server } from "node:http";\n',
    "api/pure.test.ts": 'import { pure } from "./pure.ts";\nimport { z } from "zod";\n',
    "relay/socket.ts": 'import {\n  isIP,\n  connect,\n} from "node:net";\n',
    "relay/deep.ts": 'export { socket } from "./socket.ts";\n',
    "relay/deep.test.ts": 'import { deep } from "./deep.ts";\n',
    "relay/late.test.ts": 'const { run } = await import("node:child_process");\n',
    "relay/thread.test.ts": 'const thread = new URL("./writer.ts", import.meta.url);\n',
    "relay/writer.ts": 'import { parentPort } from "node:worker_threads";\n',
    "relay/here.test.ts": 'process.env["HERE"] = "1";\n',
    "relay/mail.test.ts": 'import "./mail.ts";\nassert.equal(process.env["HERE"], "1");\n',
  }),
);

test("what touches no socket, process, thread or database shares a process, with the others of its folder", () => {
  const tests = [...files.keys()].filter((path) => path.endsWith(".test.ts"));
  const { together, apart } = shareProcesses(tests, (path) => files.get(path));
  assert.deepEqual(together, [
    { folder: "api", files: ["api/pure.test.ts"] },
    { folder: "relay", files: ["relay/mail.test.ts"] },
  ]);
  assert.deepEqual(apart, ["relay/deep.test.ts", "relay/late.test.ts", "relay/thread.test.ts", "relay/here.test.ts"]);
});

const written = {
  "passes.test.ts":
    'test("one", () => undefined);\ntest("two", async (t) => { await t.test("three", () => undefined); });',
  "fails.test.ts": 'test("fails", () => { throw new Error("why"); });',
  "leaves.test.ts": 'test("leaves", () => { Object.assign(process.env, { LEFT: "1" }); });',
  "breaks.test.ts": 'throw new Error("not loaded");',
};

/** The runner runs nothing in a test of its own: in a process that is none. */
function runTogether(folder: string, paths: readonly string[]): Outcome {
  const program = join(folder, "program.ts");
  const lines = [
    'import { runTogether } from "../../test/gate/testfile.ts";',
    `const outcome = await runTogether(${JSON.stringify(paths)}, { testTimeoutMs: 10_000, fileDeadlineMs: 30_000 });`,
    "process.stdout.write(JSON.stringify(outcome));",
  ];
  writeFileSync(program, lines.join("\n"));
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  return JSON.parse(execFileSync(process.execPath, [program], { env, encoding: "utf8" })) as Outcome;
}

test("each test of files that share a process counts, and a failure names its file", (t) => {
  const parent = join(repositoryRoot, "test-results");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "sharing-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(written)) {
    writeFileSync(join(folder, name), `import { test } from "node:test";\n${text}\n`);
  }
  const own = (name: string): string => join(relative(repositoryRoot, folder), name);
  const outcome = runTogether(folder, Object.keys(written).map(own));
  assert.equal(outcome.passed, 4);
  assert.deepEqual(outcome.skipped, []);
  assert.equal(outcome.failures.length, 3);
  assert.deepEqual(
    new Set(outcome.failures.map(({ name }) => name.split(":")[0])),
    new Set(["breaks.test.ts", "fails.test.ts", "leaves.test.ts"].map(own)),
  );
  const textOf = (name: string): string => outcome.failures.find((one) => one.name.startsWith(own(name)))?.text ?? "";
  assert.match(textOf("fails.test.ts"), /why/);
  assert.match(textOf("leaves.test.ts"), /LEFT/);
  assert.match(textOf("breaks.test.ts"), /not loaded/);
});

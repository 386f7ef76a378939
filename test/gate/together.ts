/**
 * Runs the test files that it is given in this process, one after the other. Each finds the process as the first one did: what one
 * leaves behind (an environment variable, another folder, an open socket) is a failure of its own; a timer that stays keeps the process from
 * its end, which is one, too.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, suite } from "node:test";
import { pathToFileURL } from "node:url";
import { repositoryRoot } from "../support/results.ts";

/** What stays open by itself; requests of the file system end. */
const lasting = /^(?:TCP|UDP|PipeServer|Process|Worker|FSEvent|StatWatcher)/;

/** By what it is called; of variables no value is ever printed. */
function processState(): ReadonlyMap<string, unknown> {
  const open = process.getActiveResourcesInfo().filter((kind) => lasting.test(kind));
  return new Map<string, unknown>([
    ...Object.entries(process.env).map(([name, value]) => [`variable ${name}`, value] as const),
    ["what is open", open.join(" ")],
    ["exit code", process.exitCode],
    ["folder", process.cwd()],
  ]);
}

function changes(was: ReadonlyMap<string, unknown>, is: ReadonlyMap<string, unknown>): readonly string[] {
  return [...new Set([...was.keys(), ...is.keys()])].filter((name) => was.get(name) !== is.get(name));
}

for (const file of process.argv.slice(2)) {
  suite(file, async () => {
    const before = processState();
    after(() => assert.deepEqual(changes(before, processState()), [], `${file} leaves something behind`));
    await import(pathToFileURL(join(repositoryRoot, file)).href);
  });
}

/** A test that is killed takes its node with it, and what is left of files and cgroups goes with the next run. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { cgroupPlaces, removeLeftovers } from "../support/node/leftovers.ts";
import { lackingNode } from "../support/node/programs.ts";
import { Program } from "../support/program.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { until } from "../support/until.ts";

/** Ids of processes that name the folder in their command line. */
function processesOf(directory: string): readonly string[] {
  return globSync("/proc/[0-9]*/cmdline").filter((file) => {
    try {
      return readFileSync(file, "utf8").includes(directory);
    } catch {
      return false;
    }
  });
}

function tracesOf(directory: string): readonly string[] {
  const groups = cgroupPlaces().map((place) => join(place, basename(directory)));
  return [directory, ...groups].filter((path) => existsSync(path));
}

test("kill -9 of a test ends its node, and the next run removes the rest", { skip: lackingNode() }, async () => {
  const node = new URL("../support/node/node.ts", import.meta.url).href;
  const source = `
    const { Node } = await import(${JSON.stringify(node)});
    const { plan } = await Node.start();
    console.log(JSON.stringify({ directory: plan.directory }));
    setInterval(() => {}, 60_000);
  `;
  const program = new Program({
    command: [process.execPath, "--input-type=module", "--eval", source],
    logFile: join(makeResultsDirectory(import.meta.url, "killed"), "killed.txt"),
  });
  const line = await program.waitFor("a node", (text) => text.startsWith('{"directory"'), 120_000);
  const { directory } = z.object({ directory: z.string() }).parse(JSON.parse(line));
  assert.ok(
    processesOf(directory).length >= 8,
    "etcd, API server, controllers, scheduler, kubelet, proxy, containerd, DNS",
  );
  await program.kill("SIGKILL");
  await until("the end of every process", () => processesOf(directory).length === 0);
  assert.notDeepEqual(tracesOf(directory), []);
  assert.ok((await removeLeftovers()).includes(directory));
  assert.deepEqual(tracesOf(directory), []);
});

/** Traces of nodes: those of one that ends, and those of one whose test was killed. */
import { existsSync, globSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { until } from "../until.ts";

export const nodePrefix = "mbn-";

/** Where the id of the process that a node lives and dies with is kept. */
export function ownerFile(directory: string): string {
  return join(directory, "owner");
}

/** Files and cgroups of nodes whose process is gone. Everything else of a node goes with its process by itself. */
export async function removeLeftovers(): Promise<readonly string[]> {
  const groups = cgroupPlaces().flatMap((place) => globSync(join(place, `${nodePrefix}*`)));
  const names = [...globSync(join(tmpdir(), `${nodePrefix}*`)), ...groups].map((path) => basename(path));
  const dead = [...new Set(names)].map((name) => join(tmpdir(), name)).filter((directory) => !isAlive(directory));
  for (const directory of dead) await removeTraces(directory);
  return dead;
}

/** Of a node that is ending: resolves when the last of its processes is gone. */
export async function removeTraces(directory: string): Promise<void> {
  const groups = cgroupPlaces().map((place) => join(place, basename(directory)));
  await until("the end of a node", () => groups.filter((group) => !removeGroup(group)).length === 0, 30_000);
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}

function isAlive(directory: string): boolean {
  try {
    const pid = readFileSync(ownerFile(directory), "utf8").trim();
    // Another process may have the number by now: the node's names its folder.
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(directory);
  } catch {
    // One that has no owner yet may be about to start.
    return !existsSync(ownerFile(directory)) && Date.now() - changedAt(directory) < 60_000;
  }
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The mounted hierarchies: one for each controller (version 1), or one for all. */
export function cgroupPlaces(): readonly string[] {
  const root = "/sys/fs/cgroup";
  return existsSync(join(root, "cgroup.controllers"))
    ? [root]
    : readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(root, entry.name));
}

/** A cgroup goes once its children and processes are gone; files in it are the kernel's. False: not yet. */
function removeGroup(path: string): boolean {
  if (!existsSync(path)) return true;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory() && !removeGroup(join(path, entry.name))) return false;
  }
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The manifest folder: read whole, watched, and read again when anything in it changes. A file that cannot be read is a
 * problem like any other and changes nothing that is in force.
 */
import { watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ReadFile, readManifests } from "./manifests.ts";

/** An editor writes a file in several steps: they are taken as one. */
const debounceMs = 120;
/** Notifications can be lost (network file systems, bind mounts): a look at names and times finds what they missed. */
const rescanMs = 1000;

/** Every `*.yaml` and `*.yml` directly in the folder, in order of their names. */
export async function readFolder(folder: string): Promise<readonly ReadFile[]> {
  const files: ReadFile[] = [];
  for (const file of await manifestNames(folder)) {
    try {
      files.push(readManifests(file, await readFile(join(folder, file), "utf8")));
    } catch (error) {
      const problem = { file, line: 0, path: "", message: `cannot be read: ${String(error)}` };
      files.push({ file, isReadable: false, documents: [], problems: [problem] });
    }
  }
  return files;
}

async function manifestNames(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names.filter((name) => /\.ya?ml$/.test(name) && !name.startsWith(".")).sort();
}

/** Calls `changed` some 100 ms after the last change, until `stopping`. */
export function watchFolder(folder: string, changed: () => void, stopping: AbortSignal): void {
  let timer: NodeJS.Timeout | undefined;
  let seen: string | undefined;
  const touch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, debounceMs);
  };
  const rescan = async (): Promise<void> => {
    const now = await fingerprint(folder);
    if (seen !== undefined && now !== seen) touch();
    seen = now;
  };
  const interval = setInterval(() => {
    rescan().catch(touch);
  }, rescanMs);
  const watcher = watch(folder, { signal: stopping }, touch);
  // The rescan goes on alone when the watcher fails or the folder is replaced.
  watcher.on("error", () => watcher.close());
  stopping.addEventListener("abort", () => {
    clearInterval(interval);
    clearTimeout(timer);
  });
}

async function fingerprint(folder: string): Promise<string> {
  const parts: string[] = [];
  for (const name of await manifestNames(folder)) {
    // One that went in between is a change that the next look sees.
    const facts = await stat(join(folder, name)).catch(() => undefined);
    parts.push(`${name} ${facts?.mtimeMs ?? 0} ${facts?.size ?? 0} ${facts?.ino ?? 0}`);
  }
  return parts.join("\n");
}

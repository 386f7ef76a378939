/**
 * The manifest folder: read whole, watched, and read again when anything in it changes. A file that cannot be read is a
 * problem like any other and changes nothing that is in force.
 */
import { type FSWatcher, watch } from "node:fs";
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
      files.push(readManifests(file, textOf(await readFile(join(folder, file)))));
    } catch (error) {
      const problem = { file, line: 0, path: "", message: `cannot be read: ${String(error)}` };
      files.push({ file, isReadable: false, documents: [], problems: [problem] });
    }
  }
  return files;
}

/** UTF-8, or what a byte order mark says: Windows PowerShell writes UTF-16 when nobody says otherwise. The mark is no part of it. */
function textOf(bytes: Buffer): string {
  const [first, second] = bytes;
  const isUtf16 = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return new TextDecoder(isUtf16 ? (first === 0xff ? "utf-16le" : "utf-16be") : "utf-8").decode(bytes);
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
  // The rescan goes on alone when the watcher fails or the folder is replaced, and where the system has no watcher left to give.
  const watcher = startWatcher(folder, touch, stopping);
  watcher?.on("error", () => watcher.close());
  stopping.addEventListener("abort", () => {
    clearInterval(interval);
    clearTimeout(timer);
  });
}

function startWatcher(folder: string, touch: () => void, stopping: AbortSignal): FSWatcher | undefined {
  try {
    return watch(folder, { signal: stopping }, touch);
  } catch {
    return undefined;
  }
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

/**
 * The state folder holds private keys, passwords and everybody's mail: it is its owner's alone, it is where it is said to be, and
 * nothing in it leads elsewhere. A folder that is not so is refused before anything is written.
 */
import { chmod, lstat, mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { UsageError } from "../runtime/commandline.ts";
import { wordsOf } from "./terminal/trouble.ts";

/** Throws UsageError, with what to do. A folder of one's own that others may read is closed to them. */
export async function prepareState(path: string): Promise<void> {
  // Without a slash at its end, behind which a link would be followed.
  const folder = resolve(path);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new UsageError(wordsOf(error, path), { cause: error });
  });
  const facts = await lstat(folder);
  if (facts.isSymbolicLink()) throw refused(path, "is a link: name the folder that it leads to, or remove it");
  if (process.getuid !== undefined && facts.uid !== process.getuid()) {
    throw refused(path, "belongs to another user, who could read what is written there");
  }
  if ((facts.mode & 0o077) !== 0) await chmod(folder, 0o700);
  const link = await firstLink(folder);
  if (link !== undefined)
    throw refused(link, "is a link, and keys and mail would be written where it leads: remove it");
}

/** Nobody but its owner can put one there later. */
async function firstLink(folder: string): Promise<string | undefined> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isSymbolicLink()) return path;
    const below = entry.isDirectory() ? await firstLink(path) : undefined;
    if (below !== undefined) return below;
  }
  return undefined;
}

function refused(path: string, why: string): UsageError {
  return new UsageError(`${path} ${why}; another folder is named with --state (STATE=...)`);
}

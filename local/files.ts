/** Files of the state directory: private to their owner, and never seen half written. */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UsageError } from "../runtime/commandline.ts";

let temporaries = 0;

/** Writes beside the target and renames over it. `durable` syncs first, for what cannot be made again. */
export async function writeFileAtomically(path: string, content: string | Buffer, durable = false): Promise<void> {
  temporaries += 1;
  const temporary = join(dirname(path), `.${process.pid}.${temporaries}.tmp`);
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(content);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/** Undefined when there is no such file; rejects when there is one that cannot be read. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** What a file of ours says. Throws UsageError when it is none of ours any more: what it held is not made anew in silence. */
export async function readOwn<T>(path: string, read: (text: string) => T): Promise<T> {
  const text = await readFile(path, "utf8");
  try {
    return read(text);
  } catch (error) {
    throw new UsageError(
      `${path} is damaged: restore it from a copy, or remove it and it is made anew (a DKIM key then needs its new DNS record)`,
      { cause: error },
    );
  }
}

/**
 * Makes a directory hold exactly these files: what differs is replaced by rename, what is gone is removed, and what is
 * the same is not touched. Directories inside are left alone.
 */
export async function syncDirectory(path: string, files: Readonly<Record<string, Buffer>>): Promise<void> {
  await makeDirectory(path);
  for (const [name, content] of Object.entries(files)) {
    const file = join(path, name);
    // What cannot be read is written anew, and that tells what is wrong.
    const present = await readFile(file).catch(() => undefined);
    if (present === undefined || !present.equals(content)) await writeFileAtomically(file, content);
  }
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isFile() && files[entry.name] === undefined) await rm(join(path, entry.name), { force: true });
  }
}

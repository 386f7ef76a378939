/**
 * The files of captured messages: which are there, and those that go. A person may delete them by hand at any time; that is seen at
 * the next look, and is no error. What cannot be removed stays, and is said.
 */
import { type FSWatcher, watch } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { capturedFileName } from "../../capture/record.ts";
import { makeDirectory } from "../../files.ts";

/** Whoever deletes by hand deletes several: they are seen as one. */
const gatherMs = 100;

export interface CapturedFilesSettings {
  readonly directory: string;
  /** Called with files that are no longer there although nobody here removed them. */
  readonly onGone: (files: readonly string[]) => void;
  readonly onError: (error: Error) => void;
}

export class CapturedFiles {
  readonly #settings: CapturedFilesSettings;
  /** Their names begin with the time: in order, the oldest is the first. */
  #present: Set<string>;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(settings: CapturedFilesSettings, present: Set<string>) {
    this.#settings = settings;
    this.#present = present;
  }

  static async open(settings: CapturedFilesSettings): Promise<CapturedFiles> {
    await makeDirectory(settings.directory);
    await removeOrphans(settings.directory).catch(settings.onError);
    const files = new CapturedFiles(settings, new Set(await namesIn(settings.directory)));
    files.#follow();
    return files;
  }

  get count(): number {
    return this.#present.size;
  }

  has(file: string): boolean {
    return this.#present.has(file);
  }

  /** Undefined for a name that is none, or a file that is gone. */
  async path(file: string): Promise<string | undefined> {
    if (!capturedFileName.test(file)) return undefined;
    const path = join(this.#settings.directory, file);
    const facts = await stat(path).catch(() => undefined);
    return facts?.isFile() === true ? path : undefined;
  }

  /** One has come. */
  note(file: string): void {
    this.#present.add(file);
    if (this.#watcher === undefined) this.#follow();
  }

  /** Those that are too many, the oldest first. */
  beyond(limit: number): readonly string[] {
    return [...this.#present].slice(0, Math.max(0, this.#present.size - limit));
  }

  /** The message and what is written beside it. */
  async remove(file: string): Promise<void> {
    if (!capturedFileName.test(file)) return;
    const path = join(this.#settings.directory, file);
    const wasThere = this.#present.delete(file);
    try {
      await rm(path, { force: true });
      await rm(path.replace(/\.eml$/, ".json"), { force: true });
    } catch (error) {
      if (wasThere) this.#present.add(file);
      throw error;
    }
  }

  /** Sees what was deleted by hand. */
  async look(): Promise<void> {
    const before = [...this.#present];
    const now = new Set(await namesIn(this.#settings.directory));
    const gone = before.filter((file) => !now.has(file) && this.#present.has(file));
    for (const file of gone) this.#present.delete(file);
    if (gone.length > 0) this.#settings.onGone(gone);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#watcher?.close();
  }

  /** Where nothing can be watched, a look at the list sees the same. */
  #follow(): void {
    try {
      const watcher = watch(this.#settings.directory, (_event, name) => {
        if (name === null || this.#present.has(name)) this.#lookSoon();
      });
      this.#watcher = watcher;
      watcher.on("error", () => {
        watcher.close();
        this.#watcher = undefined;
      });
    } catch {
      this.#watcher = undefined;
    }
  }

  #lookSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.look().catch(this.#settings.onError);
    }, gatherMs);
  }
}

/** What is written beside a message, and the message is gone: deleted by hand, or its last moments were those of the machine. */
async function removeOrphans(directory: string): Promise<void> {
  const names = new Set(await readdir(directory));
  for (const name of names) {
    const message = name.replace(/\.json$/, ".eml");
    if (name.endsWith(".json") && capturedFileName.test(message) && !names.has(message))
      await rm(join(directory, name));
  }
}

/** None where the directory itself is gone. */
async function namesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => capturedFileName.test(name)).toSorted();
}

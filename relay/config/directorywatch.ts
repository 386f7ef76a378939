/**
 * Tells that something changed in one of the directories, which may come, go and be replaced. Each is watched by itself:
 * Node's recursive watch on Linux goes blind for a file that has been renamed over twice. What cannot be watched now is
 * tried again with each renewal; its changes are seen by the caller's rescan.
 */
import { statSync, watch, type FSWatcher } from "node:fs";

interface Watched {
  readonly watcher: FSWatcher;
  /** A directory of the same name and another inode is another directory. */
  readonly inode: bigint;
}

export class DirectoryWatch {
  readonly #paths: readonly string[];
  readonly #changed: () => void;
  readonly #watched = new Map<string, Watched>();

  constructor(paths: readonly string[], changed: () => void) {
    this.#paths = paths;
    this.#changed = changed;
  }

  /** Watches what is there now. Call it before each read: what changes later is then told. */
  renew(): void {
    for (const path of this.#paths) {
      const inode = statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
      if (this.#watched.get(path)?.inode === inode) continue;
      this.#forget(path);
      if (inode !== undefined) this.#watch(path, inode);
    }
  }

  close(): void {
    for (const path of this.#paths) this.#forget(path);
  }

  #watch(path: string, inode: bigint): void {
    try {
      const watcher = watch(path, () => this.#changed());
      watcher.on("error", () => this.#forget(path));
      this.#watched.set(path, { watcher, inode });
    } catch {
      // Gone in between, or no watches left: the rescan sees its changes.
    }
  }

  #forget(path: string): void {
    this.#watched.get(path)?.watcher.close();
    this.#watched.delete(path);
  }
}

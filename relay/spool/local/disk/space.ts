/**
 * The filesystem under the spool: its free space, the size of the write-ahead log, and a reserve file that is given up
 * when the disk is full so that outcomes can still be written.
 *
 * Promise: free space is never believed to be more than the last look less everything written since. A look that fails
 * keeps the last figures, so that a disk that cannot be asked ends as a full one. While the disk is nearly full, or the reserve
 * is given up, it looks again by itself: new mail is taken, and the reserve made anew, as soon as there is room.
 */
import { open, stat, statfs, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../../runtime/clock.ts";
import type { Log } from "../../../../runtime/log.ts";
import type { DiskFaults } from "./faults.ts";

export const reserveBytes = 4 * 1024 * 1024;
/** Below this new mail is refused: outcomes, notices and the log's growth need room. */
export const lowWaterBytes = 16 * 1024 * 1024;
const refreshMs = 500;
const lookAgainMs = 1_000;

export interface DiskSpaceOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly faults?: DiskFaults | undefined;
}

/** Written since a look began, bytes. */
interface Written {
  readonly bodies: number;
  readonly log: number;
}

const nothing: Written = { bodies: 0, log: 0 };

export class DiskSpace {
  readonly #options: DiskSpaceOptions;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #freeBytes = Number.MAX_SAFE_INTEGER;
  #logBytes = 0;
  #unseen = nothing;
  #reserve: "kept" | "released" = "released";
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  /** The log has said that a look, or the reserve, failed; said again after one that did not. */
  #complained = false;

  constructor(options: DiskSpaceOptions) {
    this.#options = options;
  }

  get nearlyFull(): boolean {
    return this.freeBytes < lowWaterBytes;
  }

  /** As far as it may be believed. */
  get freeBytes(): number {
    return this.#freeBytes - this.#unseen.bodies - this.#unseen.log;
  }

  /** An upper bound: what is written to the log may take the place of what was copied from it. */
  get logBytes(): number {
    return this.#logBytes + this.#unseen.log;
  }

  get isReserveKept(): boolean {
    return this.#reserve === "kept";
  }

  /** Rejects when the filesystem cannot be asked. */
  async open(): Promise<void> {
    const size = await sizeOf(this.#reservePath());
    this.#reserve = size === reserveBytes ? "kept" : "released";
    await this.#measure();
    await this.#settle();
  }

  wroteBody(bytes: number): void {
    this.#unseen = { ...this.#unseen, bodies: this.#unseen.bodies + bytes };
  }

  wroteLog(bytes: number): void {
    this.#unseen = { ...this.#unseen, log: this.#unseen.log + bytes };
  }

  /** Looks again, at most twice a second. */
  refresh(): void {
    const now = this.#options.clock.now();
    if (Math.abs(now - this.#refreshedAt) < refreshMs) return;
    this.#refreshedAt = now;
    void this.#look();
  }

  /** Never rejects: whoever waits for room tries again. */
  async releaseReserve(): Promise<void> {
    try {
      this.#options.faults?.strike("reserveRemove");
      await unlink(this.#reservePath());
    } catch (error) {
      if (!isAbsent(error)) {
        this.#complain(error, "could not release the reserve of the spool");
        return;
      }
    }
    this.#reserve = "released";
    await this.#look();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  /** Never rejects. One look at a time: two would not know which of them saw what was written. */
  async #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #lookOnce(): Promise<void> {
    try {
      await this.#measure();
    } catch (error) {
      this.#complain(error, "could not ask the filesystem of the spool for its free space");
    }
    await this.#settle();
  }

  /** Makes the reserve when there is room for it, and looks again later while anything is not as it should be. */
  async #settle(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#reserve === "released" && this.freeBytes >= lowWaterBytes + reserveBytes) await this.#makeReserve();
    if (this.#reserve === "kept" && !this.nearlyFull) this.#complained = false;
    else this.#lookLater();
  }

  #lookLater(): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#look();
    }, lookAgainMs);
    this.#timer.unref();
  }

  async #measure(): Promise<void> {
    const before = this.#unseen;
    this.#options.faults?.strike("measure");
    const filesystem = await statfs(this.#options.directory);
    const logBytes = await sizeOf(join(this.#options.directory, "spool.db-wal"));
    this.#freeBytes = filesystem.bavail * filesystem.bsize;
    this.#logBytes = logBytes ?? 0;
    // What was written while it looked may be in the figures or not.
    this.#unseen = { bodies: this.#unseen.bodies - before.bodies, log: this.#unseen.log - before.log };
  }

  /** Written out in full: a sparse file reserves nothing. */
  async #makeReserve(): Promise<void> {
    try {
      const handle = await open(this.#reservePath(), "w", 0o600);
      try {
        this.#options.faults?.strike("reserveWrite");
        await handle.writeFile(Buffer.alloc(reserveBytes));
      } finally {
        await handle.close();
      }
      this.#reserve = "kept";
      await this.#measure();
    } catch (error) {
      this.#complain(error, "could not make the reserve of the spool");
      // A part of it reserves little and takes the room of outcomes.
      await unlink(this.#reservePath()).catch(() => undefined);
    }
  }

  #complain(error: unknown, what: string): void {
    if (!this.#complained) this.#options.log.error({ error: String(error) }, what);
    this.#complained = true;
  }

  #reservePath(): string {
    return join(this.#options.directory, "reserve");
  }
}

/** Undefined when there is no such file. */
async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

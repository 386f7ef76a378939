/**
 * The filesystem under the spool: its free space, the size of the write-ahead log, and a reserve file that is given up
 * when the disk is full so that outcomes can still be written.
 */
import { open, stat, statfs, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../runtime/clock.ts";

const reserveBytes = 4 * 1024 * 1024;
/** Below this new mail is refused: outcomes, notices and the log's growth need room. */
const lowWaterBytes = 16 * 1024 * 1024;
const refreshMs = 500;

export class DiskSpace {
  readonly #directory: string;
  readonly #clock: Clock;
  #refreshedAt = 0;
  #freeBytes = Number.MAX_SAFE_INTEGER;
  #logBytes = 0;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  get nearlyFull(): boolean {
    return this.#freeBytes < lowWaterBytes;
  }

  get logBytes(): number {
    return this.#logBytes;
  }

  async open(): Promise<void> {
    await this.#measure();
    await this.#keepReserve();
  }

  /** Looks again, at most twice a second; a look that fails keeps the last figures. */
  refresh(): void {
    const now = this.#clock.now();
    if (now - this.#refreshedAt < refreshMs) return;
    this.#refreshedAt = now;
    this.#measure().then(
      () => undefined,
      () => undefined,
    );
  }

  async releaseReserve(): Promise<void> {
    await unlink(this.#reservePath()).catch(() => undefined);
    await this.#measure();
  }

  async #measure(): Promise<void> {
    const filesystem = await statfs(this.#directory);
    this.#freeBytes = filesystem.bavail * filesystem.bsize;
    this.#logBytes = await stat(join(this.#directory, "spool.db-wal")).then(
      (found) => found.size,
      () => 0,
    );
  }

  /** Written out in full: a sparse file reserves nothing. */
  async #keepReserve(): Promise<void> {
    if (this.#freeBytes < lowWaterBytes + reserveBytes) return;
    const handle = await open(this.#reservePath(), "w", 0o600);
    try {
      await handle.writeFile(Buffer.alloc(reserveBytes));
    } finally {
      await handle.close();
    }
  }

  #reservePath(): string {
    return join(this.#directory, "reserve");
  }
}

/**
 * Standard output for lines that nobody may wait for.
 *
 * Each line is handed to the system at once, so that a crash loses none and who follows the log sees it. While the reader is
 * slower than the program, lines wait here, up to a limit; what comes beyond it is dropped and counted, and the first line that
 * finds room again says how many. Neither memory nor mail depends on who reads the log. A reader that is gone is written to no
 * more. What waits when the process ends gets a moment, and is lost with a reader that does not use it.
 */
import { writeSync } from "node:fs";

export interface LineOutput {
  /** A whole line with its end. */
  write(line: string): void;
  /** Lines that were dropped since the start. */
  readonly dropped: number;
}

export interface LineOutputOptions {
  /** A descriptor that does not block. */
  readonly fd: number;
  readonly limitBytes: number;
  /** The line that tells of lines that were dropped before it. */
  readonly dropped: (lines: number) => string;
}

const retryMs = 20;
const farewellMs = 500;
/** Of one write: a pipe takes no more. */
const chunkBytes = 65_536;
const unwilling: ReadonlySet<string> = new Set(["EAGAIN", "EBUSY", "EINTR"]);

export class BoundedLineOutput implements LineOutput {
  readonly #options: LineOutputOptions;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** Of these nothing was said yet. */
  #untold = 0;
  #triesLater = false;
  #isGone = false;

  constructor(options: LineOutputOptions) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#isGone) return;
    if (this.#waiting.length === 0) return this.#keep(this.#send(Buffer.from(line)));
    const bytes = Buffer.byteLength(line);
    if (this.#untold === 0 && this.#waitingBytes + bytes <= this.#options.limitBytes) {
      return this.#keep(Buffer.from(line));
    }
    // One that fits must not overtake the line that tells of those before it.
    this.#dropped += 1;
    this.#untold += 1;
  }

  /** Blocks for a moment at most. */
  end(): void {
    const until = Date.now() + farewellMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#flush() && Date.now() < until) Atomics.wait(pause, 0, 0, retryMs);
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#waiting.push(rest);
    this.#waitingBytes += rest.length;
    this.#tryLater();
  }

  #tryLater(): void {
    if (this.#triesLater) return;
    this.#triesLater = true;
    setTimeout(() => {
      this.#triesLater = false;
      if (!this.#flush()) this.#tryLater();
    }, retryMs).unref();
  }

  /** True when nothing waits any more. */
  #flush(): boolean {
    while (this.#waiting.length > 0 && !this.#isGone) {
      const chunk = Buffer.concat(this.#nextChunk());
      const rest = this.#send(chunk);
      this.#waitingBytes -= chunk.length - rest.length;
      if (rest.length > 0) {
        this.#waiting.unshift(rest);
        return false;
      }
      if (this.#waiting.length === 0 && this.#untold > 0) this.#tell();
    }
    return true;
  }

  #nextChunk(): Buffer[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || bytes < chunkBytes))
      bytes += this.#waiting[count++]?.length ?? 0;
    return this.#waiting.splice(0, count);
  }

  #tell(): void {
    const line = Buffer.from(this.#options.dropped(this.#untold));
    this.#untold = 0;
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
  }

  /** Returns what the system did not take. */
  #send(bytes: Buffer): Buffer {
    try {
      return bytes.subarray(writeSync(this.#options.fd, bytes));
    } catch (error) {
      if (error instanceof Error && "code" in error && unwilling.has(String(error.code))) return bytes;
      // EPIPE and its like: nobody reads, and nobody can be told.
      this.#isGone = true;
      this.#waiting = [];
      return Buffer.alloc(0);
    }
  }
}

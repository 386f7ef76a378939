/**
 * Standard output for lines that nobody may wait for.
 *
 * A line is handed to the system at once when none was for some milliseconds; those that follow it closely are gathered for as
 * long and handed over together, because a write of each costs a busy relay a twentieth of its time. A kill -9 can lose these
 * few, and no crash of the program does. While the reader is slower than the program, lines wait here, up to a limit; what comes
 * beyond it is dropped and counted, and the first line that finds room again says how many. Neither memory nor mail depends on
 * who reads the log. A reader that is gone is written to no more. What waits when the process ends gets a moment, and is lost
 * with a reader that does not use it.
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

/** As long as nobody notices who reads a log. */
const gatherMs = 20;
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
  /** Idle: nothing was written for a while. Gathering: something was. Behind: the system takes no more for now. */
  #state: "Idle" | "Gathering" | "Behind" | "Gone" = "Idle";

  constructor(options: LineOutputOptions) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#state === "Gone") return;
    const bytes = Buffer.from(line);
    // One that fits must not overtake the line that tells of those before it.
    if (this.#untold > 0 || this.#waitingBytes + bytes.length > this.#options.limitBytes) {
      this.#dropped += 1;
      this.#untold += 1;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#state === "Idle") this.#handOver();
    else if (this.#state === "Gathering" && this.#waitingBytes >= chunkBytes && !this.#flush()) this.#state = "Behind";
  }

  /** Blocks for a moment at most. */
  end(): void {
    const until = Date.now() + farewellMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (!this.#flush() && Date.now() < until) Atomics.wait(pause, 0, 0, retryMs);
  }

  #handOver(): void {
    const isTaken = this.#flush();
    if (this.#isGone()) return;
    this.#state = isTaken ? "Gathering" : "Behind";
    setTimeout(() => this.#goOn(), isTaken ? gatherMs : retryMs).unref();
  }

  #goOn(): void {
    if (this.#isGone()) return;
    if (this.#waiting.length === 0) this.#state = "Idle";
    else this.#handOver();
  }

  #isGone(): boolean {
    return this.#state === "Gone";
  }

  /** True when nothing waits any more. */
  #flush(): boolean {
    while (this.#waiting.length > 0 && !this.#isGone()) {
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
      this.#state = "Gone";
      this.#waiting = [];
      return Buffer.alloc(0);
    }
  }
}

/**
 * The body hash of DKIM: relaxed canonical form (RFC 6376 section 3.4.4) and SHA-256, streaming.
 *
 * It is taken once, while a message is received, so that signing at each attempt costs no second pass over the body.
 * Text that is canonical already is only looked at, never copied byte by byte: 4 KiB cost a few microseconds.
 * It cannot fail: any bytes have a canonical form.
 */
import { createHash } from "node:crypto";

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;

/**
 * Pieces are gathered here, because a call into the hash costs more than the bytes of a line. One for all hashes:
 * it is empty again whenever update() or digest() returns.
 */
const scratch = Buffer.allocUnsafe(16 * 1024);
/** Runs of at least this length go to the hash without the copy. */
const longRunBytes = 4 * 1024;

export class RelaxedBodyHash {
  readonly #hash = createHash("sha256");
  #used = 0;
  /** White space that becomes one SP when more of the line follows, and nothing at its end. */
  #space = false;
  /** A CR whose LF may come with the next chunk. */
  #cr = false;
  /** Line ends not written yet: those at the end of the body do not count (RFC 6376 section 3.4.4 b). */
  #lineEnds = 0;
  #content = false;

  update(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const byte = chunk[at];
      if (this.#cr && byte === lineFeed) {
        this.#cr = false;
        this.#space = false;
        this.#lineEnds += 1;
        at += 1;
        continue;
      }
      if (this.#cr) this.#writeBareCr();
      if (byte === carriageReturn) this.#cr = true;
      else if (byte === space || byte === tab) this.#space = true;
      else {
        const end = endOfRun(chunk, at);
        this.#writeRun(chunk, at, end);
        at = end;
        continue;
      }
      at += 1;
    }
    this.#flush();
  }

  /** Base64 of the hash; to be called once, after the last update. */
  digest(): string {
    if (this.#cr) this.#writeBareCr();
    // RFC 6376 section 3.4.4: a body with content ends in exactly one CRLF, added when missing; an empty one is empty.
    if (this.#content) {
      this.#lineEnds = 1;
      this.#writeLineEnds();
    }
    this.#flush();
    return this.#hash.digest("base64");
  }

  /** A CR that ends no line is content like any other byte. */
  #writeBareCr(): void {
    this.#cr = false;
    this.#writeRun(bareCr, 0, 1);
  }

  #writeRun(chunk: Buffer, start: number, end: number): void {
    this.#content = true;
    if (this.#lineEnds > 0) this.#writeLineEnds();
    if (this.#space) {
      this.#space = false;
      this.#reserve(1);
      scratch[this.#used++] = space;
    }
    if (end - start >= longRunBytes) {
      this.#flush();
      this.#hash.update(chunk.subarray(start, end));
      return;
    }
    this.#reserve(end - start);
    this.#used += chunk.copy(scratch, this.#used, start, end);
  }

  #writeLineEnds(): void {
    for (; this.#lineEnds > 0; this.#lineEnds -= 1) {
      this.#reserve(2);
      scratch[this.#used++] = carriageReturn;
      scratch[this.#used++] = lineFeed;
    }
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes > scratch.length) this.#flush();
  }

  #flush(): void {
    if (this.#used > 0) this.#hash.update(scratch.subarray(0, this.#used));
    this.#used = 0;
  }
}

const bareCr = Buffer.from("\r", "latin1");

/** Where the bytes from `start`, which is no white space, stop being their own canonical form. */
function endOfRun(chunk: Buffer, start: number): number {
  const length = chunk.length;
  let at = start + 1;
  while (at < length) {
    const byte = chunk[at] ?? 0;
    if (byte > space || (byte !== space && byte !== tab && byte !== carriageReturn)) {
      at += 1;
      continue;
    }
    // One SP between words, and one CRLF between lines that have text, stay as they are.
    const skip = byte === space ? 1 : byte === carriageReturn && chunk[at + 1] === lineFeed ? 2 : 0;
    if (skip === 0 || at + skip >= length || (chunk[at + skip] ?? 0) <= space) return at;
    at += skip;
  }
  return at;
}

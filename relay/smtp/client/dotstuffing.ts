/**
 * Message bytes as DATA carries them: dots doubled at the start of lines, ended by a dot on a line of its own
 * (RFC 5321 section 4.5.2). Bodies in the spool hold no bare CR or LF, so that CRLF alone begins a line here.
 * It cannot fail. Pieces of the input are reused, not copied.
 */
const lineStartDot = Buffer.from("\r\n.", "latin1");
const dot = Buffer.from(".", "latin1");
const terminator = Buffer.from(".\r\n", "latin1");
const terminatorAfterOpenLine = Buffer.from("\r\n.\r\n", "latin1");

const byteDot = 0x2e;
const byteLf = 0x0a;
const byteCr = 0x0d;

/** Where a stream of chunks stands: what the next chunk must know of those before it. */
export class DotStuffing {
  /** The last two bytes so far; the start of the message counts as the start of a line. */
  #beforeLast = byteCr;
  #last = byteLf;

  /** The bytes to send for `chunk`, in order. */
  stuff(chunk: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    let from = this.#splitsBeforeDot(chunk, pieces);
    for (let at = chunk.indexOf(lineStartDot, from); at !== -1; at = chunk.indexOf(lineStartDot, from)) {
      pieces.push(chunk.subarray(from, at + 2), dot);
      from = at + 2;
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
    this.#remember(chunk);
    return pieces;
  }

  /** What ends the message; to be sent once. */
  end(): Buffer {
    return this.#beforeLast === byteCr && this.#last === byteLf ? terminator : terminatorAfterOpenLine;
  }

  /** A dot whose line began in an earlier chunk. Returns where the rest of the chunk begins. */
  #splitsBeforeDot(chunk: Buffer, pieces: Buffer[]): number {
    if (chunk[0] === byteDot && this.#beforeLast === byteCr && this.#last === byteLf) {
      pieces.push(dot);
      return 0;
    }
    if (chunk[0] === byteLf && chunk[1] === byteDot && this.#last === byteCr) {
      pieces.push(chunk.subarray(0, 1), dot);
      return 1;
    }
    return 0;
  }

  #remember(chunk: Buffer): void {
    const length = chunk.length;
    if (length === 0) return;
    this.#beforeLast = length > 1 ? (chunk[length - 2] ?? 0) : this.#last;
    this.#last = chunk[length - 1] ?? 0;
  }
}

/** A whole message in one buffer, ready for one write. */
export function stuffWhole(parts: readonly Buffer[]): Buffer {
  const stuffing = new DotStuffing();
  const pieces = parts.flatMap((part) => stuffing.stuff(part));
  return Buffer.concat([...pieces, stuffing.end()]);
}

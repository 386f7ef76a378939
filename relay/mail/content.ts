/**
 * One pass over the octets of a message while it arrives: line ends, NUL, line length, 8-bit, and where the body begins.
 *
 * RFC 5321 section 2.3.8 and 4.1.1.4: CR and LF appear only together. Whatever else a message holds would be read as other
 * lines, or as the end of the message, by somebody further on, so it is a fault with its line.
 */
import { contentLineOctets, lineOctets } from "./limit.ts";

export interface ContentFault {
  /** Line of the message, from 1. */
  readonly line: number;
  readonly reason: string;
}

const carriageReturn = 0x0d;
const lineFeed = 0x0a;

export class ContentScan {
  #offset = 0;
  #line = 1;
  #lineLength = 0;
  #carriageReturn = false;
  #bits = 0;
  #bodyOffset = -1;
  #longest = 0;

  /** Octets from the start of the message to just behind its first empty line; -1 while there was none. */
  get bodyOffset(): number {
    return this.#bodyOffset;
  }

  get eightBit(): boolean {
    return this.#bits > 0x7f;
  }

  /** A line of the body is longer than the next host may pass on; the header has its own way. */
  get hasLongBodyLine(): boolean {
    return this.#longest > contentLineOctets;
  }

  get sizeBytes(): number {
    return this.#offset;
  }

  /** Reads on; after a fault nothing more may be fed. */
  feed(chunk: Buffer): ContentFault | undefined {
    const length = chunk.length;
    if (length === 0) return undefined;
    let at = 0;
    /** Where the current line began; before the chunk, when it began in an earlier one. */
    let lineStart = -this.#lineLength;
    if (this.#carriageReturn) {
      if (chunk[0] !== lineFeed) return this.#fault("bare CR, send CRLF");
      this.#endLine(-1 - lineStart, 1);
      lineStart = 1;
      at = 1;
    }
    this.#carriageReturn = false;
    while (at < length) {
      at = this.#skipOrdinary(chunk, at, length);
      if (at === length) break;
      const octet = chunk[at];
      if (octet === lineFeed) return this.#fault("bare LF, send CRLF");
      if (octet === 0) return this.#fault("a NUL octet, which mail cannot carry");
      // Now it is a CR, and the last octet of the chunk may part it from its LF.
      if (at + 1 === length) {
        this.#carriageReturn = true;
        break;
      }
      if (chunk[at + 1] !== lineFeed) return this.#fault("bare CR, send CRLF");
      if (at - lineStart > lineOctets) return this.#fault(tooLong);
      this.#endLine(at - lineStart, at + 2);
      at += 2;
      lineStart = at;
    }
    this.#lineLength = length - lineStart;
    this.#offset += length;
    return this.#lineLength > lineOctets + 1 ? this.#fault(tooLong) : undefined;
  }

  /** Position of the next CR, LF or NUL. The hot loop of receiving: one comparison an octet, and no state but its bits. */
  #skipOrdinary(chunk: Buffer, start: number, length: number): number {
    let bits = 0;
    let at = start;
    for (; at < length; at += 1) {
      const octet = chunk[at] ?? 0;
      if (octet <= carriageReturn && (octet === carriageReturn || octet === lineFeed || octet === 0)) break;
      bits |= octet;
    }
    this.#bits |= bits;
    return at;
  }

  /** `end` is the position in the chunk behind the line end. */
  #endLine(lineLength: number, end: number): void {
    if (this.#bodyOffset === -1) {
      if (lineLength === 0) this.#bodyOffset = this.#offset + end;
    } else if (lineLength > this.#longest) {
      this.#longest = lineLength;
    }
    this.#line += 1;
  }

  /** What only the end can tell: a CR whose LF never came, and how long a last line without an end is. */
  end(): ContentFault | undefined {
    if (this.#bodyOffset !== -1) this.#longest = Math.max(this.#longest, this.#lineLength);
    return this.#carriageReturn ? this.#fault("bare CR, send CRLF") : undefined;
  }

  #fault(reason: string): ContentFault {
    return { line: this.#line, reason };
  }
}

const tooLong = `longer than ${lineOctets} octets`;

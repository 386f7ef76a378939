/**
 * One pass over the octets of a message while it arrives: line ends, NUL, line length, 8-bit, and where the body begins.
 *
 * RFC 5321 section 2.3.8 and 4.1.1.4: CR and LF appear only together. Whatever else a message holds would be read as other
 * lines, or as the end of the message, by somebody further on, so it is a fault with its line.
 */
import { lineOctets } from "./limit.ts";

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

  /** Octets from the start of the message to just behind its first empty line; -1 while there was none. */
  get bodyOffset(): number {
    return this.#bodyOffset;
  }

  get eightBit(): boolean {
    return this.#bits > 0x7f;
  }

  get sizeBytes(): number {
    return this.#offset;
  }

  /** Reads on; after a fault nothing more may be fed. */
  feed(chunk: Buffer): ContentFault | undefined {
    let lineLength = this.#lineLength;
    let pending = this.#carriageReturn;
    let bits = this.#bits;
    for (let at = 0; at < chunk.length; at += 1) {
      const octet = chunk[at] ?? 0;
      if (octet > carriageReturn && !pending) {
        bits |= octet;
        lineLength += 1;
      } else if (octet === lineFeed) {
        if (!pending) return this.#fault("bare LF, send CRLF");
        if (lineLength > lineOctets) return this.#fault(tooLong);
        if (lineLength === 0 && this.#bodyOffset === -1) this.#bodyOffset = this.#offset + at + 1;
        pending = false;
        lineLength = 0;
        this.#line += 1;
      } else if (pending) {
        return this.#fault("bare CR, send CRLF");
      } else if (octet === carriageReturn) {
        pending = true;
      } else if (octet === 0) {
        return this.#fault("a NUL octet, which mail cannot carry");
      } else {
        lineLength += 1;
      }
    }
    this.#bits = bits;
    this.#carriageReturn = pending;
    this.#lineLength = lineLength;
    this.#offset += chunk.length;
    return lineLength > lineOctets ? this.#fault(tooLong) : undefined;
  }

  /** What only the end can tell: a CR whose LF never came. */
  end(): ContentFault | undefined {
    return this.#carriageReturn ? this.#fault("bare CR, send CRLF") : undefined;
  }

  #fault(reason: string): ContentFault {
    return { line: this.#line, reason };
  }
}

const tooLong = `longer than ${lineOctets} octets`;

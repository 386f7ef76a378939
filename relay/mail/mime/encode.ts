/**
 * Bodies in lines that every host passes on: quoted-printable (RFC 2045 section 6.7) of octets as they are, and long lines
 * of what is quoted-printable or base64 already, broken where a decoder takes the break out again.
 *
 * A body comes in pieces of lines. What a decoder makes of it is the same before and after, octet for octet.
 */
import { contentLineOctets } from "../limit.ts";

export interface Piece {
  readonly bytes: Buffer;
  /** It begins a line. */
  readonly first: boolean;
  /** It ends a line, with its CRLF, or the body. One that does not is longer than a line may be when it is the first. */
  readonly last: boolean;
}

export interface LineEncoder {
  encode(piece: Piece): Buffer;
}

/** RFC 2045 section 6.7 (5): 76 with the `=` of a soft line break. */
const column = 75;
const softBreak = "=\r\n";
const hexadecimal = Array.from({ length: 256 }, (_, octet) => `=${octet.toString(16).toUpperCase().padStart(2, "0")}`);
/** RFC 2045 section 6.7 (2): 33 to 126 but `=` stand for themselves; white space does within a line (3). */
const token = Array.from({ length: 256 }, (_, octet) => {
  const isPlain = (octet >= 33 && octet <= 126 && octet !== 61) || octet === 32 || octet === 9;
  return isPlain ? String.fromCharCode(octet) : (hexadecimal[octet] ?? "");
});

function contentOf({ bytes, last }: Piece): { readonly content: Buffer; readonly lineEnd: string } {
  const hasLineEnd = last && bytes.length >= 2 && bytes[bytes.length - 1] === 0x0a;
  return hasLineEnd ? { content: bytes.subarray(0, -2), lineEnd: "\r\n" } : { content: bytes, lineEnd: "" };
}

export function isLong(piece: Piece): boolean {
  return piece.first && (!piece.last || contentOf(piece).content.length > contentLineOctets);
}

/** What is written until it is taken; one for all encoders, because nothing is in it between two calls of encode(). */
let scratch = Buffer.alloc(0);

/** Encoded lines as octets, with the soft line breaks that keep them short. */
class EncodedLines {
  #used = 0;
  #column = 0;

  /** Makes room for what `octets` become at most: three each, and a break behind every 73. */
  open({ first }: Piece, octets: number): void {
    const most = Math.ceil(octets * 3.2) + 16;
    if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most);
    this.#used = 0;
    if (first) this.#column = 0;
  }

  put(text: string): void {
    if (this.#column + text.length > column) {
      this.append(softBreak);
      this.#column = 0;
      // Behind a break of ours no line may look like a boundary, which begins with hyphens.
      if (text === "-") return this.put(hexadecimal[45] ?? "");
    }
    this.#column += text.length;
    this.append(text);
  }

  append(text: string): void {
    for (let at = 0; at < text.length; at += 1) scratch[this.#used++] = text.charCodeAt(at);
  }

  close(lineEnd: string): Buffer {
    this.append(lineEnd);
    return Buffer.from(scratch.subarray(0, this.#used));
  }
}

export class QuotedPrintable implements LineEncoder {
  readonly #lines = new EncodedLines();
  /** White space that must not end a line (RFC 2045 section 6.7 (3)), so that what follows decides how it is written. */
  #space = -1;

  encode(piece: Piece): Buffer {
    const { content, lineEnd } = contentOf(piece);
    this.#lines.open(piece, content.length + 1);
    for (const octet of content) {
      if (this.#space !== -1) this.#lines.put(token[this.#space] ?? "");
      this.#space = octet === 32 || octet === 9 ? octet : -1;
      if (this.#space === -1) this.#lines.put(token[octet] ?? "");
    }
    if (piece.last && this.#space !== -1) {
      this.#lines.put(hexadecimal[this.#space] ?? "");
      this.#space = -1;
    }
    return this.#lines.close(lineEnd);
  }
}

/** A whole body at once. */
export function quotedPrintable(bytes: Buffer): Buffer {
  const encoder = new QuotedPrintable();
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const found = bytes.indexOf(0x0a, at);
    const end = found === -1 ? bytes.length : found + 1;
    lines.push(encoder.encode({ bytes: bytes.subarray(at, end), first: true, last: true }));
    at = end;
  }
  return Buffer.concat(lines);
}

/** Long lines of a quoted-printable body get soft line breaks; its other lines stay as they are. */
export class SoftBreaks implements LineEncoder {
  readonly #lines = new EncodedLines();
  #isLong = false;
  /** An `=` and what may belong to it. */
  #held = "";

  encode(piece: Piece): Buffer {
    if (piece.first) this.#isLong = isLong(piece);
    if (!this.#isLong) return piece.bytes;
    const { content, lineEnd } = contentOf(piece);
    this.#lines.open(piece, content.length + 3);
    for (const octet of content) {
      if (this.#held !== "" || octet === 61) {
        this.#held += String.fromCharCode(octet);
        if (this.#held.length < 3) continue;
        this.#lines.put(this.#held);
        this.#held = "";
      } else {
        // Octets that are not allowed there (RFC 2045 section 6.7 (2)) decode to themselves, and so does their code.
        this.#lines.put(token[octet] ?? "");
      }
    }
    if (!piece.last) return this.#lines.close("");
    // What is left is a soft line break of the body's own, or an `=` that encodes nothing.
    this.#lines.append(this.#held);
    this.#held = "";
    return this.#lines.close(lineEnd);
  }
}

/** Long lines become several by line ends that no decoder keeps. */
export class HardBreaks implements LineEncoder {
  readonly #column: number;
  readonly #lineBreak: string;
  #isLong = false;
  #used = 0;

  private constructor(columns: number, lineBreak: string) {
    this.#column = columns;
    this.#lineBreak = lineBreak;
  }

  /** RFC 2045 section 6.8: decoders pass over line ends; in lines of a multiple of four each has whole groups. */
  static ofBase64(): HardBreaks {
    return new HardBreaks(76, "\r\n");
  }

  /** What stands around parts nobody shows (RFC 2046 section 5.1.1); a line that begins with a space is no boundary. */
  static ofUnread(): HardBreaks {
    return new HardBreaks(900, "\r\n ");
  }

  encode(piece: Piece): Buffer {
    if (piece.first) {
      this.#isLong = isLong(piece);
      this.#used = 0;
    }
    if (!this.#isLong) return piece.bytes;
    const { content, lineEnd } = contentOf(piece);
    let text = "";
    for (let at = 0; at < content.length;) {
      if (this.#used === this.#column) {
        text += this.#lineBreak;
        this.#used = 0;
      }
      const end = Math.min(content.length, at + this.#column - this.#used);
      text += content.toString("latin1", at, end);
      this.#used += end - at;
      at = end;
    }
    return Buffer.from(text + lineEnd, "latin1");
  }
}

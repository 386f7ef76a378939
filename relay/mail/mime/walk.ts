/**
 * A body as it streams by, told apart into its parts (RFC 2046 section 5.1): which line belongs to which, and what the
 * header of each says. Nothing is held but a line's beginning and the header of the part that is under way.
 *
 * It cannot fail: a part whose header cannot be read, or is too large, or lies too deep, is sealed and passes as it is.
 */
import { parseHeader, type Header } from "../header.ts";
import { boundaryLineOctets, partDepth, partHeaderOctets } from "../limit.ts";
import type { Piece } from "./encode.ts";
import { entityOf, type DefaultType, type Entity } from "./entity.ts";

export interface Part {
  /** In their order, the whole message's own body being 0: the same each time the same body is read. */
  readonly number: number;
  readonly entity: Entity;
}

export interface Visitor {
  /** The header of a part or of a message within the message, complete; the empty line follows as a `frame`. */
  header(part: Part, header: Header, isMessage: boolean): void;
  /** A piece of a leaf. */
  content(part: Part, piece: Piece): void;
  /** What stands around parts and nobody reads: preamble and epilogue. */
  around(piece: Piece): void;
  /** Boundaries, empty lines behind headers, and all that is sealed: to be kept. */
  frame(bytes: Buffer): void;
}

type Position =
  | { readonly kind: "leaf"; readonly part: Part }
  | { readonly kind: "around" }
  | { readonly kind: "sealed" }
  | {
      kind: "header";
      readonly chunks: Buffer[];
      sizeBytes: number;
      readonly defaultType: DefaultType;
      readonly isMessage: boolean;
    };

interface Level {
  /** With its two hyphens; one character an octet. */
  readonly delimiter: string;
  readonly digest: boolean;
}

const hyphen = 0x2d;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export class BodyWalk {
  readonly #visitor: Visitor;
  readonly #levels: Level[] = [];
  #depth = 0;
  #number = 0;
  #position: Position;
  #held: Buffer = Buffer.alloc(0);
  #inLine = false;

  constructor(root: Entity, visitor: Visitor) {
    this.#visitor = visitor;
    this.#position = this.#enter({ number: 0, entity: root });
  }

  feed(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    let at = 0;
    for (let found = bytes.indexOf(lineFeed, at); found !== -1; found = bytes.indexOf(lineFeed, at)) {
      this.#piece({ bytes: bytes.subarray(at, found + 1), first: !this.#inLine, last: true });
      this.#inLine = false;
      at = found + 1;
    }
    // A CR is kept for its LF. Until a line is longer than any boundary it is kept whole.
    const end = bytes.length > at && bytes[bytes.length - 1] === carriageReturn ? bytes.length - 1 : bytes.length;
    if (end > at && (this.#inLine || end - at > boundaryLineOctets)) {
      this.#piece({ bytes: bytes.subarray(at, end), first: !this.#inLine, last: false });
      this.#inLine = true;
      at = end;
    }
    this.#held = bytes.subarray(at);
  }

  end(): void {
    const bytes = this.#held;
    if (bytes.length > 0 || this.#inLine) this.#piece({ bytes, first: !this.#inLine, last: true });
    if (this.#position.kind === "header") for (const chunk of this.#position.chunks) this.#visitor.frame(chunk);
  }

  #piece(piece: Piece): void {
    const position = this.#position;
    if (piece.first && piece.bytes[0] === hyphen && this.#levels.length > 0 && this.#isBoundary(piece)) return;
    switch (position.kind) {
      case "leaf":
        return this.#visitor.content(position.part, piece);
      case "around":
        return this.#visitor.around(piece);
      case "sealed":
        return this.#visitor.frame(piece.bytes);
      case "header":
        return this.#gather(position, piece);
    }
  }

  /** RFC 2046 section 5.1.2: a boundary of any level ends all levels within it. */
  #isBoundary({ bytes, last }: Piece): boolean {
    if (!last || bytes.length > boundaryLineOctets + 2 || bytes[1] !== hyphen) return false;
    // White space behind it is transport padding.
    const line = bytes.toString("latin1").replace(/[ \t\r\n]+$/, "");
    for (let level = this.#levels.length - 1; level >= 0; level -= 1) {
      const { delimiter = "", digest = false } = this.#levels[level] ?? {};
      const isClose = line === `${delimiter}--`;
      if (line !== delimiter && !isClose) continue;
      if (this.#position.kind === "header") for (const chunk of this.#position.chunks) this.#visitor.frame(chunk);
      this.#visitor.frame(bytes);
      this.#levels.length = isClose ? level : level + 1;
      this.#depth = this.#levels.length;
      this.#position = isClose ? { kind: "around" } : headerPosition(digest ? "message/rfc822" : "text/plain", false);
      return true;
    }
    return false;
  }

  #gather(position: Extract<Position, { readonly kind: "header" }>, piece: Piece): void {
    const { bytes, first } = piece;
    const isEmptyLine = first && bytes.length === 2 && bytes[0] === carriageReturn;
    if (!isEmptyLine) {
      position.chunks.push(Buffer.from(bytes));
      position.sizeBytes += bytes.length;
      if (position.sizeBytes <= partHeaderOctets) return;
      this.#position = { kind: "sealed" };
      for (const chunk of position.chunks) this.#visitor.frame(chunk);
      return;
    }
    const header = parseHeader(Buffer.concat(position.chunks));
    this.#number += 1;
    if (header.kind === "fault") {
      this.#position = { kind: "sealed" };
      for (const chunk of position.chunks) this.#visitor.frame(chunk);
    } else {
      const part = { number: this.#number, entity: entityOf(header, position.defaultType) };
      this.#visitor.header(part, header, position.isMessage);
      this.#position = this.#enter(part);
    }
    this.#visitor.frame(bytes);
  }

  #enter(part: Part): Position {
    const { entity } = part;
    if (entity.kind === "leaf") return { kind: "leaf", part };
    if (entity.kind === "sealed" || this.#depth >= partDepth) return { kind: "sealed" };
    this.#depth += 1;
    if (entity.kind === "message") return headerPosition("text/plain", true);
    this.#levels.push({ delimiter: `--${entity.boundary}`, digest: entity.digest });
    return { kind: "around" };
  }
}

function headerPosition(defaultType: DefaultType, isMessage: boolean): Position {
  return { kind: "header", chunks: [], sizeBytes: 0, defaultType, isMessage };
}

/**
 * Bodies with lines over 998 octets, made into bodies without: the next Postfix would break such lines wherever they are,
 * and with them the signature (RFC 5321 section 4.5.3.1.6).
 *
 * In two readings of the same octets, because the header of a part stands before the line that is too long: the first
 * finds which parts have one, the second writes the body anew. Only those parts change, what they decode to does not, and
 * nothing that somebody signed is touched. Neither can fail, and each holds no more than a line and a part's header.
 */
import { changedFields, fieldsNamed, type FieldChanges, type Header, type HeaderField } from "../header.ts";
import { tidyField } from "../fields/tidy.ts";
import { HardBreaks, isLong, QuotedPrintable, SoftBreaks, type LineEncoder, type Piece } from "./encode.ts";
import type { Entity } from "./entity.ts";
import { BodyWalk, type Part, type Visitor } from "./walk.ts";

export interface LongLines {
  /** Numbers of the parts that must be encoded anew. */
  readonly parts: ReadonlySet<number>;
  /** There is something to mend at all. */
  readonly any: boolean;
}

/** The first reading. */
export class LongLineSurvey {
  readonly #parts = new Set<number>();
  #around = false;
  readonly #walk: BodyWalk;

  constructor(root: Entity) {
    this.#walk = new BodyWalk(root, {
      header: (_, header) => {
        this.#around ||= header.fields.some((field) => !field.tidy);
      },
      content: ({ number }, piece) => {
        if (isLong(piece)) this.#parts.add(number);
      },
      around: (piece) => {
        this.#around ||= isLong(piece);
      },
      frame: () => undefined,
    });
  }

  feed(chunk: Buffer): void {
    this.#walk.feed(chunk);
  }

  end(): LongLines {
    this.#walk.end();
    return { parts: this.#parts, any: this.#around || this.#parts.size > 0 };
  }
}

const empty = Buffer.alloc(0);

/** The second reading: each call returns what can be written by then. */
export class ShortLines {
  readonly #walk: BodyWalk;
  #written: Buffer[] = [];

  constructor(root: Entity, long: LongLines) {
    this.#walk = new BodyWalk(root, new Rewriting(long, (bytes) => this.#written.push(bytes)));
  }

  feed(chunk: Buffer): Buffer {
    this.#walk.feed(chunk);
    return this.#taken();
  }

  end(): Buffer {
    this.#walk.end();
    return this.#taken();
  }

  #taken(): Buffer {
    const [only = empty, ...others] = this.#written;
    const bytes = others.length === 0 ? only : Buffer.concat(this.#written);
    this.#written = [];
    return bytes;
  }
}

class Rewriting implements Visitor {
  readonly #long: LongLines;
  readonly #write: (bytes: Buffer) => void;
  #part = -1;
  #encoder: LineEncoder | undefined;
  readonly #unread = HardBreaks.ofUnread();

  constructor(long: LongLines, write: (bytes: Buffer) => void) {
    this.#long = long;
    this.#write = write;
  }

  header({ number, entity }: Part, header: Header, isMessage: boolean): void {
    const changes = new Map<HeaderField, Buffer>();
    for (const field of header.fields) {
      const tidy = field.tidy ? undefined : tidyField(header, field);
      if (tidy !== undefined) changes.set(field, tidy);
    }
    const isSealed = entity.kind === "sealed";
    const encoded = this.#long.parts.has(number) ? encodedHeader(header, entity, isMessage) : undefined;
    const all: FieldChanges = isSealed ? new Map() : new Map([...changes, ...(encoded?.changes ?? [])]);
    for (const slice of changedFields(header, all)) this.#write(slice);
    if (encoded !== undefined) this.#write(encoded.added);
  }

  content(part: Part, piece: Piece): void {
    if (part.number !== this.#part) {
      this.#part = part.number;
      this.#encoder = this.#long.parts.has(part.number) ? encoderOf(part.entity) : undefined;
    }
    this.#write(this.#encoder === undefined ? piece.bytes : this.#encoder.encode(piece));
  }

  around(piece: Piece): void {
    this.#write(this.#unread.encode(piece));
  }

  frame(bytes: Buffer): void {
    this.#write(bytes);
  }
}

function encoderOf(entity: Entity): LineEncoder | undefined {
  if (entity.kind !== "leaf") return undefined;
  if (entity.encoding === "base64") return HardBreaks.ofBase64();
  return entity.encoding === "quoted-printable" ? new SoftBreaks() : new QuotedPrintable();
}

export interface EncodedHeader {
  readonly changes: FieldChanges;
  readonly added: Buffer;
}

/** How the header of a part that is encoded anew says so; `isMessage` is one that is a message's own. */
export function encodedHeader(header: Header, entity: Entity, isMessage: boolean): EncodedHeader {
  const changes = new Map<HeaderField, Buffer>();
  if (entity.kind !== "leaf" || entity.encoding !== "literal") return { changes, added: Buffer.alloc(0) };
  const field = "Content-Transfer-Encoding: quoted-printable\r\n";
  for (const old of fieldsNamed(header, "content-transfer-encoding")) {
    changes.set(old, Buffer.from(changes.size === 0 ? field : "", "latin1"));
  }
  // RFC 2045 section 4: without it a reader need not decode. What the content is stays as unsaid as it was.
  const version = isMessage && fieldsNamed(header, "mime-version").length === 0 ? "MIME-Version: 1.0\r\n" : "";
  return { changes, added: Buffer.from(version + (changes.size === 0 ? field : ""), "latin1") };
}

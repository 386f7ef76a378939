/**
 * The octets after DATA (RFC 5321 section 4.1.1.4 and 4.5.2): where they end, and without the dots that were put in for the way.
 *
 * Only CRLF "." CRLF ends a message, and only a dot behind CRLF is one too many. Any other mixture of CR, LF and dots is
 * content, which the content scan refuses: no two servers can disagree about it then. Content is not copied.
 */

export interface DataPiece {
  readonly content: readonly Buffer[];
  /** Position behind the end of the data in what was fed; undefined while more is to come. */
  readonly end: number | undefined;
}

type State = "inside" | "afterCr" | "lineStart" | "afterDot" | "afterDotCr";

const dot = 0x2e;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const dotLine = Buffer.from("\r\n.");
const withheldCr = Buffer.from("\r");

export class DataFrame {
  #state: State = "lineStart";

  feed(chunk: Buffer): DataPiece {
    const content: Buffer[] = [];
    /** From here on the chunk has not been given out. */
    let from = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === "inside") {
        const found = chunk.indexOf(dotLine, at);
        at = found === -1 ? chunk.length : found + 2;
        this.#state = found === -1 ? stateAtEnd(chunk) : "lineStart";
        continue;
      }
      const octet = chunk[at] ?? 0;
      const before = this.#state;
      this.#state = nextState(before, octet);
      if (before === "lineStart" && octet === dot) {
        if (at > from) content.push(chunk.subarray(from, at));
        from = at + 1;
      } else if (before === "afterDot" && octet === carriageReturn) {
        from = at + 1;
      } else if (before === "afterDotCr" && octet === lineFeed) {
        return { content, end: at + 1 };
      } else if (before === "afterDotCr") {
        content.push(withheldCr);
      }
      at += 1;
    }
    if (from < chunk.length) content.push(chunk.subarray(from));
    return { content, end: undefined };
  }
}

/** Of a chunk whose last octets hold no CRLF and dot. */
function stateAtEnd(chunk: Buffer): State {
  if (chunk.at(-1) === carriageReturn) return "afterCr";
  return chunk.at(-1) === lineFeed && chunk.at(-2) === carriageReturn ? "lineStart" : "inside";
}

function nextState(state: Exclude<State, "inside">, octet: number): State {
  if (state === "lineStart" && octet === dot) return "afterDot";
  if (state === "afterDot" && octet === carriageReturn) return "afterDotCr";
  if ((state === "afterCr" || state === "afterDotCr") && octet === lineFeed) return "lineStart";
  return octet === carriageReturn ? "afterCr" : "inside";
}

/**
 * The octets after DATA from a client that may end its lines with a line feed alone: every line comes out with CRLF.
 *
 * A client that ends its commands with CRLF ends its message with CRLF "." CRLF, and with nothing else: such a client may pass on
 * what others wrote, and a dot between line feeds in there must not end the message early. Only one that ended the line with DATA
 * itself with a line feed alone knows no other line end, and ends its message by LF "." LF. A bare CR stays one, to be refused.
 */
import type { DataPiece } from "./dataframe.ts";

/** How the line before ended; the beginning of the data is the end of a line of either kind. */
type LineStart = "standard" | "bare" | "first";

type State =
  { readonly kind: "lineStart" | "dot" | "dotCr"; readonly after: LineStart } | { readonly kind: "inside" | "cr" };

const dot = 0x2e;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

export class LenientDataFrame {
  readonly #endsBare: boolean;
  #state: State = { kind: "lineStart", after: "first" };

  /** `endsBare`: the line with DATA ended with a line feed alone. */
  constructor(endsBare: boolean) {
    this.#endsBare = endsBare;
  }

  feed(chunk: Buffer): DataPiece {
    const octets: number[] = [];
    for (let at = 0; at < chunk.length; at += 1) {
      if (this.#take(chunk[at] ?? 0, octets) === "end") return { content: piece(octets), end: at + 1 };
    }
    return { content: piece(octets), end: undefined };
  }

  #take(octet: number, out: number[]): "end" | undefined {
    const state = this.#state;
    const isEnd = octet === lineFeed && this.#isEnd(state);
    if (isEnd) return "end";
    if (octet === lineFeed) {
      // A dot that is a whole line and no end is content.
      if (state.kind === "dot" || state.kind === "dotCr") out.push(dot);
      out.push(carriageReturn, lineFeed);
      const hadCr = state.kind === "cr" || state.kind === "dotCr";
      this.#state = { kind: "lineStart", after: hadCr ? "standard" : "bare" };
      return undefined;
    }
    // One that was held back, and was no part of a line end.
    if (state.kind === "cr" || state.kind === "dotCr") out.push(carriageReturn);
    if (octet === carriageReturn) this.#state = state.kind === "dot" ? { ...state, kind: "dotCr" } : { kind: "cr" };
    else if (octet === dot && state.kind === "lineStart") this.#state = { ...state, kind: "dot" };
    else {
      out.push(octet);
      this.#state = { kind: "inside" };
    }
    return undefined;
  }

  /** Whether a line feed ends the data here (RFC 5321 section 4.1.1.4). */
  #isEnd(state: State): boolean {
    if (state.kind === "dotCr") return state.after !== "bare";
    return state.kind === "dot" && this.#endsBare && state.after !== "standard";
  }
}

function piece(octets: readonly number[]): readonly Buffer[] {
  return octets.length === 0 ? [] : [Buffer.from(octets)];
}

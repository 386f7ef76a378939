/**
 * Octets of a next hop into replies (RFC 5321 section 4.2). Pure; what it holds is bounded, however long a line is and
 * however many lines a reply has. What is no reply is a fault, after which nobody knows what the next one would answer.
 */
import { parseReply, type Reply } from "../../mail/reply.ts";

export interface Reading {
  readonly replies: readonly Reply[];
  /** What is wrong, for people; nothing is read after it. */
  readonly fault?: string;
}

/** RFC 5321 section 4.5.3.1.5 allows 512 octets a line; the longest replies that are sent have some dozens of lines. */
export const longestReplyOctets = 65_536;

const lineFeed = 0x0a;
const quoted = 100;

export class ReplyReader {
  /** Of the line that has not ended. */
  #pieces: Buffer[] = [];
  /** Of the reply that has not ended. */
  #lines: string[] = [];
  #octets = 0;
  #fault: string | undefined;

  /** A reply has begun and not ended. */
  get isInside(): boolean {
    return this.#octets > 0;
  }

  read(chunk: Buffer): Reading {
    const replies: Reply[] = [];
    let from = 0;
    while (from < chunk.length && this.#fault === undefined) {
      const end = chunk.indexOf(lineFeed, from);
      const to = end === -1 ? chunk.length : end + 1;
      const isKept = this.#keep(chunk.subarray(from, to));
      const reply = isKept && end !== -1 ? this.#endLine() : undefined;
      if (reply !== undefined) replies.push(reply);
      from = to;
    }
    return this.#fault === undefined ? { replies } : { replies, fault: this.#fault };
  }

  /** False when the reply is longer than any that is meant. */
  #keep(piece: Buffer): boolean {
    this.#octets += piece.length;
    if (this.#octets > longestReplyOctets) {
      this.#fail(`a reply of more than ${longestReplyOctets} octets`);
      return false;
    }
    this.#pieces.push(piece);
    return true;
  }

  #endLine(): Reply | undefined {
    // RFC 6531 section 3.7.4 makes UTF-8 of replies possible.
    const [first = Buffer.alloc(0), ...rest] = this.#pieces;
    const ended = (rest.length === 0 ? first : Buffer.concat(this.#pieces)).toString("utf8");
    const line = ended.slice(0, ended.endsWith("\r\n") ? -2 : -1);
    this.#pieces = [];
    if (line.trim() === "") {
      if (this.#lines.length === 0) this.#octets = 0;
      return undefined;
    }
    if (!/^[2-5]\d\d(?:[ -]|$)/.test(line)) {
      this.#fail(`no SMTP reply: ${line.slice(0, quoted)}`);
      return undefined;
    }
    this.#lines.push(line);
    if (line.charAt(3) === "-") return undefined;
    const reply = parseReply(this.#lines.join("\n"));
    this.#lines = [];
    this.#octets = 0;
    return reply;
  }

  #fail(fault: string): void {
    this.#fault = fault;
    this.#pieces = [];
    this.#lines = [];
  }
}

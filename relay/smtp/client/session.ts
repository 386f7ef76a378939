/**
 * The dialogue with a next hop once its session is open: commands out, replies in, each within its time.
 *
 * Promise: a reply is only ever taken for the answer to a command that was sent before it came. A hop that talks out of turn, says
 * no SMTP or never ends a reply loses the connection, because nobody knows what its next words would answer.
 */
import type { Socket } from "node:net";
import { formatReply, type Reply } from "../../mail/reply.ts";
import { LineLostError, type SmtpLine } from "./transaction.ts";
import { ReplyReader } from "./replyreader.ts";
import type { Extensions } from "./transcript.ts";

/** How long each answer may take, whole. */
export interface ReplyPatience {
  readonly commandMs: number;
  readonly dataMs: number;
  /** Without a sign that the hop takes octets of the message. */
  readonly blockMs: number;
  readonly endMs: number;
}

export interface SessionParts {
  readonly socket: Socket;
  readonly nextHop: string;
  readonly extensions: Extensions;
  readonly patience: ReplyPatience;
  /** Ends the connection, after what was written has left. */
  readonly close: () => void;
}

const quitMs = 2_000;

export class NextHopSession implements SmtpLine {
  readonly nextHop: string;
  readonly output: Socket;
  readonly #parts: SessionParts;
  readonly #reader = new ReplyReader();
  readonly #lost = new AbortController();
  readonly #inbox: Reply[] = [];
  /** Replies that are still to come. */
  #owed = 0;
  #allowedMs: number;
  #deadline: { readonly timer: NodeJS.Timeout; readonly ms: number } | undefined;
  #loss: LineLostError | undefined;
  #wake: (() => void) | undefined;

  constructor(parts: SessionParts) {
    this.nextHop = parts.nextHop;
    this.output = parts.socket;
    this.#parts = parts;
    this.#allowedMs = parts.patience.commandMs;
    parts.socket.on("data", (chunk: Buffer) => this.#take(chunk));
    // From here on answers have a time of their own; the socket's is for octets of a message that are not taken.
    parts.socket.setTimeout(0);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get knowsOffers(): boolean {
    return this.#parts.extensions.isKnown;
  }

  /** RFC 1870 section 4: 0, or no number, is no limit. */
  get maxSizeBytes(): number {
    const size = this.#parts.extensions.keywords.get("SIZE")?.trim() ?? "";
    return /^\d{1,15}$/.test(size) ? Number(size) : 0;
  }

  offers(extension: string): boolean {
    return this.#parts.extensions.keywords.has(extension);
  }

  get hasReply(): boolean {
    return this.#inbox.length > 0;
  }

  command(commands: readonly string[]): void {
    if (/[\0\r\n]/.test(commands.join(""))) throw new Error("a command would hold a line end");
    this.#expect(commands.length);
    this.output.write(`${commands.join("\r\n")}\r\n`, "utf8");
  }

  expectReply(): void {
    this.#expect(1);
  }

  async nextReply(): Promise<Reply> {
    for (;;) {
      const reply = this.#inbox.shift();
      if (reply !== undefined) return reply;
      if (this.#loss !== undefined) throw this.#loss;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  setPatience(phase: "command" | "data" | "body" | "end"): void {
    const { commandMs, dataMs, blockMs, endMs } = this.#parts.patience;
    this.#allowedMs = { command: commandMs, data: dataMs, body: Number.POSITIVE_INFINITY, end: endMs }[phase];
    this.output.setTimeout(phase === "body" ? blockMs : 0);
    if (this.#owed > 0) this.#allow();
  }

  /** What is still waited for does not come any more. */
  lose(loss: LineLostError): void {
    this.#loss ??= loss;
    clearTimeout(this.#deadline?.timer);
    this.#deadline = undefined;
    this.#lost.abort();
    this.#wake?.();
  }

  drop(detail = "the connection was dropped"): void {
    this.lose(new LineLostError(detail));
    this.#parts.close();
  }

  leave(detail = "QUIT was said"): void {
    if (this.#loss !== undefined) return;
    this.lose(new LineLostError(detail));
    this.output.write("QUIT\r\n", "latin1");
    // RFC 5321 section 4.1.1.10 wants the answer waited for; a hop that gives none is not waited for long.
    setTimeout(this.#parts.close, quitMs).unref();
  }

  #expect(count: number): void {
    this.#owed += count;
    this.#allow();
  }

  /** The next reply has its time from now on. */
  #allow(): void {
    if (this.#deadline?.ms === this.#allowedMs) {
      this.#deadline.timer.refresh();
      return;
    }
    clearTimeout(this.#deadline?.timer);
    this.#deadline = undefined;
    if (!Number.isFinite(this.#allowedMs)) return;
    const ms = this.#allowedMs;
    const timer = setTimeout(() => {
      if (this.#owed > 0) this.drop(`no reply within ${ms / 1_000} s`);
    }, ms);
    timer.unref();
    this.#deadline = { timer, ms };
  }

  #take(chunk: Buffer): void {
    const { replies, fault } = this.#reader.read(chunk);
    if (this.#loss !== undefined) {
      // What is said after QUIT is for nobody, but that it was said is the sign to go, without waiting for more.
      if (replies.length > 0 || fault !== undefined) this.output.destroySoon();
      return;
    }
    for (const reply of replies) this.#receive(reply);
    if (fault !== undefined) this.drop(fault);
    else if (this.#owed === 0 && this.#reader.isInside) this.drop("the next hop talks out of turn");
  }

  #receive(reply: Reply): void {
    if (this.#loss !== undefined) return;
    if (this.#owed === 0 && reply.code !== 421) {
      this.drop(`the next hop talks out of turn: ${formatReply(reply).slice(0, 100)}`);
      return;
    }
    if (this.#owed > 0) {
      this.#owed -= 1;
      this.#inbox.push(reply);
      if (this.#owed > 0) this.#allow();
    }
    if (reply.code === 421) {
      // RFC 5321 section 3.8: nothing follows a 421, so that what is still expected is answered by it too.
      this.lose(new LineLostError("the next hop closes the connection", reply));
      this.#parts.close();
    }
    this.#wake?.();
  }
}

/**
 * Command lines out of a socket's bytes (RFC 5321 section 2.3.8 and 4.1.1): a line ends with CRLF and nothing else, but where a
 * listener is lenient with the client.
 *
 * Lines that are too long or end with a bare LF are reported and skipped, and the session goes on. A last line without its
 * end is never run. The next line waits until the command before it has finished.
 */
import { commandLineOctets } from "../../mail/limit.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";

export type LineFault = "long" | "bareLineFeed" | "control";

const faultTexts: Readonly<Record<LineFault, string>> = {
  long: "Line too long",
  bareLineFeed: "Lines must end with CRLF",
  control: "Control characters",
};

export function refuseLine(fault: LineFault): Refusal {
  return refusal(500, "5.5.2", `${faultTexts[fault]}, command ignored`);
}

const controlCharacter = /[\x00-\x08\x0a-\x1f\x7f]/; // eslint-disable-line no-control-regex

export function isAuth(line: Buffer): boolean {
  return line.toString("latin1", 0, 5).toUpperCase() === "AUTH ";
}

/** What is wrong with a whole line. A line of an authentication exchange may be longer, and was measured before. */
export function faultOf(line: Buffer, inExchange: boolean): LineFault | undefined {
  if (!inExchange && line.length > commandLineOctets && !isAuth(line)) return "long";
  return controlCharacter.test(line.toString("latin1")) ? "control" : undefined;
}

export interface LineEvents {
  readonly limitOctets: number;
  /** `next` resumes reading; it may be called at once or later, or never when the session is over. */
  readonly command: (line: Buffer, next: () => void) => void;
  readonly fault: (fault: LineFault, next: () => void) => void;
  /** A line feed alone ends a line too. */
  readonly isLenient: () => boolean;
  /** Nothing more is to be read. */
  readonly isOver: () => boolean;
  /** The last command was DATA: the rest is a message. */
  readonly isData: () => boolean;
  readonly data: (rest: Buffer, done: () => void) => void;
}

/** What a session wants to know of its stream, lines included. */
export interface StreamEvents extends Pick<LineEvents, "command" | "fault" | "isLenient"> {
  /** Runs what reads a chunk of commands. */
  readonly batch: (run: () => void) => void;
  /** A message has passed twice the size it may have. */
  readonly flood: () => void;
  /** The client has closed its side, and all that came before was answered. */
  readonly end: () => void;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** After so many pipelined commands others get a turn. */
const commandsInARow = 100;
const nothing = Buffer.alloc(0);

export class CommandLines {
  readonly #events: LineEvents;
  #partial: Buffer = nothing;
  /** A line is too long already, and its end has not come. */
  #skipping = false;
  #endedBare = false;

  constructor(events: LineEvents) {
    this.#events = events;
  }

  /** The last command ended with a line feed alone. */
  get endedBare(): boolean {
    return this.#endedBare;
  }

  /** `done` is called when all of the chunk was taken. */
  read(chunk: Buffer, done: () => void): void {
    const bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    this.#partial = nothing;
    this.#readLines(bytes, 0, done);
  }

  /** Runs commands in a loop while they finish at once, and goes on from their callback when they do not. */
  #readLines(bytes: Buffer, start: number, done: () => void): void {
    let at = start;
    for (let count = 1; ; count += 1) {
      if (this.#events.isOver()) return done();
      if (this.#events.isData()) return this.#events.data(bytes.subarray(at), done);
      const end = bytes.indexOf(lineFeed, at);
      if (end === -1) return this.#keepPartial(bytes.subarray(at), done);
      const after = end + 1;
      const turn = { finished: false, waiting: false };
      this.#dispatch(bytes.subarray(at, end), () => {
        turn.finished = true;
        if (turn.waiting) this.#readLines(bytes, after, done);
      });
      if (!turn.finished) {
        turn.waiting = true;
        return;
      }
      if (count >= commandsInARow) {
        setImmediate(() => this.#readLines(bytes, after, done));
        return;
      }
      at = after;
    }
  }

  #keepPartial(rest: Buffer, done: () => void): void {
    if (this.#skipping || rest.length > this.#events.limitOctets + 1) this.#skipping = true;
    else this.#partial = rest;
    done();
  }

  #dispatch(line: Buffer, next: () => void): void {
    // The CR counts with the line end, not with the line.
    const long = this.#skipping || line.length > this.#events.limitOctets + 1;
    this.#skipping = false;
    if (long) this.#events.fault("long", next);
    else this.#dispatchEnded(line, next);
  }

  #dispatchEnded(line: Buffer, next: () => void): void {
    this.#endedBare = line.at(-1) !== carriageReturn;
    if (!this.#endedBare) this.#events.command(line.subarray(0, -1), next);
    else if (this.#events.isLenient()) this.#events.command(line, next);
    else this.#events.fault("bareLineFeed", next);
  }
}

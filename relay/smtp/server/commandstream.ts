/** The library's parser of one connection, with lines and DATA taken out of its hands. */
import type { SMTPServerDataStream } from "smtp-server";
import { SMTPStream } from "smtp-server/lib/smtp-stream.js";
import { authenticationLineOctets } from "../../mail/limit.ts";
import { CommandLines, type StreamEvents } from "./commandline.ts";
import { DataFrame } from "./frame/dataframe.ts";
import { LenientDataFrame } from "./frame/lenientframe.ts";
import { DataPace, type DataPaceLimits } from "./frame/datapace.ts";

/** The parser: the library ends the session over a long line, takes LF for a line end, and copies DATA twice. */
export class CommandStream extends SMTPStream {
  readonly #lines: CommandLines;
  readonly #events: StreamEvents;
  #frame: DataFrame | LenientDataFrame = new DataFrame();
  #flooded = false;

  /** Of the message under way. */
  #pace: DataPace | undefined;

  constructor(events: StreamEvents) {
    super();
    this.#events = events;
    this.#lines = new CommandLines({
      ...events,
      limitOctets: authenticationLineOctets,
      isOver: () => this.isClosed,
      isData: () => this._dataMode,
      data: (rest, done) => this._write(rest, "buffer", done),
    });
    this.once("finish", () => events.end());
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | "buffer", done: (error?: Error | null) => void): void {
    if (this.isClosed || chunk.length === 0) return done();
    if (this._dataMode) return this._feedDataStream(chunk, done);
    this.#events.batch(() => this.#lines.read(chunk, done));
  }

  /** The library forgets how to go on where a whole message follows in the same packet and ends before it has gone on. */
  override continue(): void {
    const goOn = this._continueCallback;
    if (typeof goOn !== "function") return super.continue();
    this._continueCallback = false;
    goOn();
  }

  receive(maxBytes: number, limits: DataPaceLimits): SMTPServerDataStream {
    this.#pace = new DataPace(limits, performance.now());
    this.#frame = this.#events.isLenient() ? new LenientDataFrame(this.#lines.endedBare) : new DataFrame();
    return this.startDataMode(maxBytes);
  }

  /** When the client's time for its message is over; undefined when it has sent all of it, or waits for us. */
  get dataUntil(): number | undefined {
    return this._dataMode ? this.#pace?.until : undefined;
  }

  override _feedDataStream(chunk: Buffer, done: () => void): void {
    this.#pace?.came(chunk.length, performance.now());
    const { content, end } = this.#frame.feed(chunk);
    const stream = this._dataStream;
    const bytes = content.length > 1 ? Buffer.concat(content) : content[0];
    if (bytes !== undefined) this._countDataBytes(bytes.length);
    if (end !== undefined) return this._endDataMode(bytes ?? false, chunk.subarray(end), done);
    const flowing = bytes === undefined || stream === null || !stream.writable || stream.write(bytes);
    if (flowing || stream.destroyed) return done();
    // Whoever reads the message goes on reading, or gives it up, whose stream closes and never drains.
    this.#pace?.held(performance.now());
    const settle = (): void => {
      this.#pace?.goesOn(performance.now());
      stream.off("drain", settle).off("close", settle);
      done();
    };
    stream.once("drain", settle).once("close", settle);
  }

  override _countDataBytes(octets: number): void {
    super._countDataBytes(octets);
    if (this.#flooded || this.dataBytes <= 2 * this._maxBytes) return;
    this.#flooded = true;
    this.#events.flood();
  }
}

/**
 * What a waterfall consists of: types alone, which import nothing, so that the page's files, which are checked without Node's types,
 * know them by the same words as the server.
 */

export type Tone = "good" | "warning" | "bad" | "plain";

export interface WaterfallRow {
  readonly name: string;
  readonly depth: number;
  readonly pod: string;
  /** From the start of the first span of the trace. */
  readonly offsetMs: number;
  readonly durationMs: number;
  readonly tone: Tone;
  /** What a person wants to know of it: host, reply, TLS. */
  readonly note: string;
}

export interface Waterfall {
  readonly traceId: string;
  /** ms since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly rows: readonly WaterfallRow[];
}

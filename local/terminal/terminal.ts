/** Where local mode writes: a terminal with its colours and width, or whatever else standard output leads to. */
import type { Environment } from "../../runtime/commandline.ts";
import { type Paint, painter } from "./paint.ts";

/** How lines look where they are written. */
export interface Look {
  readonly paint: Paint;
  /** Of the moment: windows change. Undefined where lines may be as long as they are. */
  columns(): number | undefined;
  /** `23:05:19` of a time in ISO 8601, by the clock on the wall of whoever reads. */
  clock(at: string): string;
}

export interface Terminal extends Look {
  write(text: string): void;
  /** Somebody sits before it, and nothing of what it shows is kept. */
  readonly isTerminal: boolean;
}

/** What of a stream is asked. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function terminalOn(stream: Stream, environment: Environment): Terminal {
  const isTerminal = stream.isTTY === true;
  return {
    write: (text) => void stream.write(text),
    isTerminal,
    paint: painter(hasColours(isTerminal, environment)),
    // A terminal without a size (some of containers and of CI) says 0.
    columns: () => (isTerminal && stream.columns !== undefined && stream.columns > 0 ? stream.columns : undefined),
    clock: wallClock,
  };
}

/** The same in every language: 24 hours, two digits each. */
function wallClock(at: string): string {
  const time = new Date(at);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** no-color.org: any value but the empty one. FORCE_COLOR is for who pipes into what shows colours. */
function hasColours(isTerminal: boolean, environment: Environment): boolean {
  const { NO_COLOR: none = "", FORCE_COLOR: forced = "", TERM: kind } = environment;
  if (none !== "") return false;
  if (forced !== "") return forced !== "0" && forced !== "false";
  return isTerminal && kind !== "dumb";
}

/**
 * The body of a watch as events: one JSON object a line. Silence longer than the deadline ends the stream, because a
 * connection whose other end is gone (no FIN, no RST) looks just like a quiet one.
 */
import type { Readable } from "node:stream";
import { failureOf, RequestError } from "./failure.ts";
import { isRawObject, isRecord, type RawObject } from "./resource.ts";

export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: RawObject }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export interface WatchStreamOptions {
  readonly body: Readable;
  /** Longest time without a byte, in milliseconds. */
  readonly silenceMs: number;
  /** For messages. */
  readonly request: string;
}

/** Ends when the server ends it. Throws RequestError: Gone, Timeout (silence), Connection, or what an ERROR event says. */
export async function* watchEvents(options: WatchStreamOptions): AsyncGenerator<readonly WatchEvent[]> {
  const { body, silenceMs, request } = options;
  const silence = setTimeout(() => {
    const message = `${request}: nothing for ${silenceMs} ms, not even a bookmark`;
    body.destroy(new RequestError({ kind: "Timeout", message }));
  }, silenceMs);
  let rest: Buffer[] = [];
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      silence.refresh();
      const last = chunk.lastIndexOf(0x0a);
      if (last === -1) {
        rest.push(chunk);
        continue;
      }
      const text = Buffer.concat([...rest, chunk.subarray(0, last)]).toString("utf8");
      // A line that the end of the connection cuts off is dropped: the next watch begins before it.
      rest = last + 1 < chunk.length ? [chunk.subarray(last + 1)] : [];
      yield* batchOf(text, request);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    throw new RequestError({ kind: "Connection", message: `${request}: ${said}`, cause: error });
  } finally {
    clearTimeout(silence);
    body.destroy();
  }
}

/** The good events before a bad line are handed on first. */
function* batchOf(text: string, request: string): Generator<readonly WatchEvent[]> {
  const events: WatchEvent[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const event = parseEvent(line, request);
    if (event instanceof RequestError) {
      yield events;
      throw event;
    }
    events.push(event);
  }
  yield events;
}

/** A whole line that is no event means that the stream cannot be trusted: Gone, so that the caller lists anew. */
function parseEvent(line: string, request: string): WatchEvent | RequestError {
  const event = parseJson(line);
  const { type, object } = isRecord(event) ? event : {};
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      if (isRawObject(object)) return { type, object };
      break;
    case "BOOKMARK": {
      const metadata = isRecord(object) ? object["metadata"] : undefined;
      const resourceVersion = isRecord(metadata) ? metadata["resourceVersion"] : undefined;
      if (typeof resourceVersion === "string") return { type, resourceVersion };
      break;
    }
    case "ERROR": {
      // A Status: 410 when the resourceVersion is too old, even though the answer began with 200.
      const code = isRecord(object) && typeof object["code"] === "number" ? object["code"] : 500;
      return failureOf({ code, body: object, request });
    }
    default:
  }
  return new RequestError({ kind: "Gone", message: `${request}: no watch event: ${line.slice(0, 100)}` });
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

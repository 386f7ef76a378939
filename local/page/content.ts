/** A captured message as the page shows it: read from its file each time, because memory is for outlines. */
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type MessagePart, readMessage } from "../capture/mime.ts";
import { capturedFileName } from "../capture/record.ts";
import { linksIn } from "./frame.ts";

/** A larger one is not taken apart; its source can be saved. */
const largestShownBytes = 31_457_280;
const headerBytes = 262_144;
const shownTextCharacters = 400_000;

export interface PartOutline {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly isInline: boolean;
}

export interface Content {
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly text: string | undefined;
  readonly hasHtml: boolean;
  readonly links: readonly string[];
  readonly parts: readonly PartOutline[];
  /** Why something is missing, in words for people. */
  readonly note: string | undefined;
}

export interface WholeMessage {
  readonly html: string | undefined;
  readonly parts: readonly MessagePart[];
}

/** Where a captured file lies; undefined for a name that is none, or a file that is gone. */
export async function capturedPath(directory: string, file: string): Promise<string | undefined> {
  if (!capturedFileName.test(file)) return undefined;
  const path = join(directory, file);
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() === true ? path : undefined;
}

/** Never rejects for what a message holds: the source can always be looked at. */
export async function readContent(path: string): Promise<Content> {
  const { size } = await stat(path);
  const isWhole = size <= largestShownBytes;
  const bytes = isWhole ? await readFile(path) : await readStart(path);
  try {
    const message = await readMessage(bytes);
    return {
      headers: message.headers,
      text: isWhole ? message.text?.slice(0, shownTextCharacters) : undefined,
      hasHtml: isWhole && message.html !== undefined,
      links: isWhole && message.html !== undefined ? linksIn(message.html) : [],
      parts: isWhole
        ? message.parts.map(({ name, type, bytes: part, isInline }) => ({
            name,
            type,
            sizeBytes: part.length,
            isInline,
          }))
        : [],
      note: noteOf(size, (message.text?.length ?? 0) > shownTextCharacters),
    };
  } catch (error) {
    const note = `the message cannot be taken apart (${error instanceof Error ? error.message : String(error)}): look at its source`;
    return { headers: [], text: undefined, hasHtml: false, links: [], parts: [], note };
  }
}

/** Undefined when the message is too large or no parser takes it. */
export async function readWhole(path: string): Promise<WholeMessage | undefined> {
  const { size } = await stat(path);
  if (size > largestShownBytes) return undefined;
  return readMessage(await readFile(path)).catch(() => undefined);
}

function noteOf(sizeBytes: number, isCut: boolean): string | undefined {
  if (sizeBytes > largestShownBytes) return "the message is too large to be shown: save its source";
  return isCut ? "the text is cut here: its end is in the source" : undefined;
}

async function readStart(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
    const start = buffer.subarray(0, bytesRead);
    const end = start.indexOf("\r\n\r\n");
    return end < 0 ? start : start.subarray(0, end + 4);
  } finally {
    await file.close();
  }
}

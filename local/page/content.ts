/** A message as the page shows it: read from its file each time, because memory is for outlines. */
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type MessagePart, readMessage } from "../capture/mime.ts";
import { capturedFileName } from "../capture/record.ts";
import { linksIn } from "./frame.ts";
import type { Content, Part } from "./shapes.ts";

/** A larger one is not taken apart; its source can be saved. */
const largestShownBytes = 31_457_280;
const headerBytes = 262_144;
const shownTextCharacters = 400_000;

export interface WholeMessage {
  readonly html: string | undefined;
  readonly parts: readonly MessagePart[];
}

/** The octets of a message where they lie: in a file, in memory, or a header in memory before a body in a file. */
export type Octets = Buffer | { readonly head?: Buffer; readonly file: string };

/** Where a captured file lies; undefined for a name that is none, or a file that is gone. */
export async function capturedPath(directory: string, file: string): Promise<string | undefined> {
  if (!capturedFileName.test(file)) return undefined;
  const path = join(directory, file);
  const facts = await stat(path).catch(() => undefined);
  return facts?.isFile() === true ? path : undefined;
}

export async function sizeOf(octets: Octets): Promise<number> {
  if (Buffer.isBuffer(octets)) return octets.length;
  return (octets.head?.length ?? 0) + (await stat(octets.file)).size;
}

/** Never rejects for what a message holds: the source can always be looked at. */
export async function readContent(octets: Octets): Promise<Content> {
  const size = await sizeOf(octets);
  const isWhole = size <= largestShownBytes;
  const bytes = isWhole ? await readAll(octets) : await readStart(octets);
  try {
    const message = await readMessage(bytes);
    const hasHtml = isWhole && message.html !== undefined;
    return {
      headers: message.headers,
      text: isWhole ? message.text?.slice(0, shownTextCharacters) : undefined,
      hasHtml,
      links: isWhole && message.html !== undefined ? linksIn(message.html) : [],
      parts: isWhole ? message.parts.map(partOutline) : [],
      note: noteOf(size, (message.text?.length ?? 0) > shownTextCharacters),
    };
  } catch (error) {
    const note = `the message cannot be taken apart (${error instanceof Error ? error.message : String(error)}): look at its source`;
    return { headers: [], text: undefined, hasHtml: false, links: [], parts: [], note };
  }
}

function partOutline({ name, type, bytes, isInline }: MessagePart): Part {
  return { name, type, sizeBytes: bytes.length, isInline };
}

/** Undefined when the message is too large or no parser takes it. */
export async function readWhole(octets: Octets): Promise<WholeMessage | undefined> {
  if ((await sizeOf(octets)) > largestShownBytes) return undefined;
  return readMessage(await readAll(octets)).catch(() => undefined);
}

function noteOf(sizeBytes: number, isCut: boolean): string | undefined {
  if (sizeBytes > largestShownBytes) return "the message is too large to be shown: save its source";
  return isCut ? "the text is cut here: its end is in the source" : undefined;
}

async function readAll(octets: Octets): Promise<Buffer> {
  if (Buffer.isBuffer(octets)) return octets;
  const bytes = await readFile(octets.file);
  return octets.head === undefined ? bytes : Buffer.concat([octets.head, bytes]);
}

/** The header, or as much of it as is looked at. */
async function readStart(octets: Octets): Promise<Buffer> {
  if (Buffer.isBuffer(octets)) return headerOf(octets);
  return headerOf(octets.head ?? (await readFirst(octets.file, headerBytes)));
}

/** The first octets of a file. */
export async function readFirst(path: string, most: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const wanted = Math.min(most, (await file.stat()).size);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function headerOf(start: Buffer): Buffer {
  const end = start.indexOf("\r\n\r\n");
  return end < 0 ? start : start.subarray(0, end + 4);
}

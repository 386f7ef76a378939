/** Which messages somebody means: by spool id, trace id, Message-ID, address or words of the subject. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { outlineOf } from "../page/outline.ts";
import type { History, Story } from "../page/story.ts";
import type { Past } from "./past.ts";

/** Of a captured file: no header is larger. */
const lookedBytes = 65_536;

/** The newest first. */
export async function findStories(
  wanted: string,
  { history, waiting }: Past,
  state: string,
): Promise<readonly Story[]> {
  const exact = history.find(wanted);
  if (exact !== undefined) return [exact];
  const newest = history.stories.toReversed();
  const traceId = traceIdIn(wanted);
  // One trace may lead through several messages: whoever sends them says so.
  if (traceId !== undefined) return newest.filter(({ spans }) => spans.some(({ span }) => span.traceId === traceId));
  if (wanted.includes("@")) {
    const messageId = wanted.replace(/^<|>$/g, "");
    const waits = [...waiting].find(([, mail]) => hasMessageId(mail.header.toString("latin1"), messageId));
    const story = waits === undefined ? undefined : history.find(waits[0]);
    if (story !== undefined) return [story];
    const captured = await withMessageId(messageId, { history, newest, directory: join(state, "captured") });
    if (captured !== undefined) return [captured];
  }
  const words = wanted.toLowerCase().split(/\s+/);
  return newest.filter((story) => {
    const text = textOf(story, history);
    return words.every((word) => text.includes(word));
  });
}

interface Captured {
  readonly history: History;
  readonly newest: readonly Story[];
  /** Where captured files lie. */
  readonly directory: string;
}

/** The message itself; or, of one that never arrived, what the notice gives back. */
async function withMessageId(messageId: string, { history, newest, directory }: Captured): Promise<Story | undefined> {
  let returned: Story | undefined;
  for (const story of newest) {
    for (const { file, summary } of story.copies) {
      const text = await startOf(join(directory, file));
      const end = text.indexOf("\r\n\r\n");
      if (hasMessageId(end < 0 ? text : text.slice(0, end), messageId)) return story;
      if (summary?.isNotice === true && hasMessageId(text, messageId)) returned ??= history.originalOf(story) ?? story;
    }
  }
  return returned;
}

/** Nothing of a file that is gone. */
async function startOf(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(lookedBytes), 0, lookedBytes, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Folded or not (RFC 5322 section 3.6.4). */
function hasMessageId(header: string, messageId: string): boolean {
  return [...header.matchAll(/^message-id:\s*<([^>]*)>/gim)].some(([, id]) => id === messageId);
}

/** A trace id, alone or within a traceparent (W3C Trace Context section 3.2). */
function traceIdIn(text: string): string | undefined {
  return /^(?:00-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?$/.exec(text.toLowerCase())?.[1];
}

function textOf(story: Story, history: History): string {
  const { subject = "", from, to } = outlineOf(story, history);
  return [subject, from, ...to].join(" ").toLowerCase();
}

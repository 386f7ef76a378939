/**
 * A message that the capture exchanger does not have: it waits in a spool, was captured there, or bounced and its notice gave it
 * back. What cannot be read there is simply not shown.
 */
import { readFile } from "node:fs/promises";
import { returnedBy } from "../../capture/mime.ts";
import { type Octets, readContent, sizeOf } from "../content.ts";
import type { Held } from "../shapes.ts";
import { peekSpool, spoolsIn } from "../spoolpeek.ts";
import type { History, Story } from "../story.ts";
import type { CapturedFiles } from "./capturedfiles.ts";

export interface HeldMail extends Pick<Held, "where" | "pod" | "isWhole"> {
  readonly octets: Octets;
  /** It is kept in the spool and will not leave. */
  readonly isCaptured: boolean;
}

export interface HeldPlaces {
  readonly stateDirectory: string;
  readonly history: History;
  readonly files: CapturedFiles;
}

export async function heldOf(story: Story, places: HeldPlaces): Promise<HeldMail | undefined> {
  return (await inSpool(story, places)) ?? inNotice(story, places);
}

export async function viewOf(held: HeldMail): Promise<Held> {
  const { octets, isCaptured: _, ...place } = held;
  return { ...place, sizeBytes: await sizeOf(octets), content: await readContent(octets), note: noteOf(held) };
}

async function inSpool(story: Story, { stateDirectory }: HeldPlaces): Promise<HeldMail | undefined> {
  for (const { pod, directory } of await spoolsIn(stateDirectory)) {
    for (const id of story.spoolIds) {
      const spooled = peekSpool(directory, id);
      if (spooled === undefined) continue;
      const { octets, isCaptured } = spooled;
      return { where: "spool", pod, isWhole: true, octets, isCaptured };
    }
  }
  return undefined;
}

async function inNotice(story: Story, { history, files }: HeldPlaces): Promise<HeldMail | undefined> {
  for (const copy of history.noticesOf(story).flatMap((notice) => notice.copies)) {
    const path = await files.path(copy.file);
    const returned = path === undefined ? undefined : await readReturned(path);
    if (returned !== undefined)
      return { where: "notice", pod: null, isWhole: returned.isWhole, octets: returned.bytes, isCaptured: false };
  }
  return undefined;
}

async function readReturned(path: string): ReturnType<typeof returnedBy> {
  try {
    return await returnedBy(await readFile(path));
  } catch {
    // Gone in between, or made by nobody who follows RFC 3464.
    return undefined;
  }
}

function noteOf({ where, pod, isWhole, isCaptured }: HeldMail): string {
  if (isCaptured)
    return `captured in the spool of ${pod ?? "a pod"} as it would have left: delivery.mode keeps it here`;
  if (where === "spool") return `waits in the spool of ${pod ?? "a pod"}; its signatures are made when it leaves`;
  return isWhole ? "as the notice to the sender gave it back" : "its header, as the notice to the sender gave it back";
}

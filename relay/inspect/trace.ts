/**
 * The verb `trace`: what the running relay remembers of a message, and what its spool still holds of it.
 *
 * The spool is read between two questions to the relay: the first gives the ids, the last one what happened until then.
 */
import type { MessageStory } from "../../api/messagestory.ts";
import type { Clock } from "../../runtime/clock.ts";
import { withBrackets } from "../observe/history.ts";
import { openReader } from "../spool/local/reading/reader.ts";
import type { QueuedMessage, Search, SpoolReader } from "../spool/queue.ts";
import { askRelay, type Asked } from "./ask.ts";
import type { TraceCommand } from "./command.ts";
import type { Printed } from "./printed.ts";
import { queuedDocument } from "./queue.ts";
import { isSettled, renderTelling } from "./story.ts";
import { counted } from "./figures.ts";

export interface TracePlaces {
  readonly directory: string;
  /** Of the relay's observation port. */
  readonly origin: string;
  readonly clock: Clock;
}

type SpoolLook =
  { readonly readable: true; readonly search: Search } | { readonly readable: false; readonly reason: string };

interface Findings {
  readonly asked: Asked;
  readonly look: SpoolLook;
  readonly stories: readonly MessageStory[];
  readonly queued: readonly QueuedMessage[];
}

/** Exit status 0 when something is known of the message, 1 when nothing is. */
export async function traceMessage(command: TraceCommand, places: TracePlaces): Promise<Printed> {
  const findings = await gather(command.id, places);
  if (findings.stories.length === 0 && findings.queued.length === 0) {
    const words = unknownWords(command.id, findings, places);
    return { status: 1, out: command.json ? jsonOf(command.id, findings) : "", err: words };
  }
  if (command.json) return { status: 0, out: jsonOf(command.id, findings), err: "" };
  return { status: 0, out: renderFindings(findings, places.clock.now()), err: missingWords(findings, places) };
}

async function gather(id: string, { directory, origin }: TracePlaces): Promise<Findings> {
  const first = await askRelay(origin, id);
  const known = first.answers ? first.answer.stories.map(({ spoolId }) => spoolId) : [];
  const look = await lookInSpool(directory, id, known);
  const queued = look.readable ? look.search.found : [];
  if (!first.answers) return { asked: first, look, stories: [], queued };
  // By a Message-ID that only the spool knows, the relay may still remember events under the spool id.
  const ids = known.length > 0 ? [id] : [...new Set([id, ...queued.map((message) => message.id)])];
  const again = await Promise.all(ids.map(async (each) => askRelay(origin, each)));
  const stories = again.flatMap((asked) => (asked.answers ? asked.answer.stories : []));
  return { asked: first, look, stories: stories.length > 0 ? stories : first.answer.stories, queued };
}

async function lookInSpool(directory: string, id: string, known: readonly string[]): Promise<SpoolLook> {
  let reader: SpoolReader | undefined;
  try {
    const open = openReader(directory);
    reader = open;
    const ids = [...new Set([id, ...known])];
    const found = (await Promise.all(ids.map(async (each) => open.message(each)))).flatMap((message) => message ?? []);
    // Searching by Message-ID reads much: only when nobody knows the spool id.
    const isSearched = found.length === 0 && known.length === 0 && id.includes("@");
    return {
      readable: true,
      search: isSearched ? await open.withMessageId(withBrackets(id)) : { found, complete: true },
    };
  } catch (error) {
    return { readable: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    await reader?.close();
  }
}

/** Stories first, in the relay's order; then what only the spool knows. */
function renderFindings({ look, stories, queued }: Findings, now: number): string {
  const isSpoolKnown = look.readable;
  const told = stories.map((story) =>
    renderTelling({ story, queued: queued.find(({ id }) => id === story.spoolId), isSpoolKnown, now }),
  );
  const silent = queued
    .filter(({ id }) => !stories.some(({ spoolId }) => spoolId === id))
    .map((message) => renderTelling({ story: undefined, queued: message, isSpoolKnown, now }));
  return [...told, ...silent].join("\n");
}

/** What could not be asked, so that a short story is not taken for the whole. */
function missingWords({ asked, look }: Findings, { origin }: TracePlaces): string {
  const relay = asked.answers ? "" : `no relay answers on ${origin} (${asked.reason}): this is what its spool holds\n`;
  return relay + (look.readable ? "" : `${look.reason}: this is what the relay remembers\n`);
}

function unknownWords(id: string, { asked, look }: Findings, { directory, origin }: TracePlaces): string {
  const relay = asked.answers
    ? `the relay, started ${asked.answer.startedAt}, does not remember it among its last ${counted(asked.answer.remembered, "message")}`
    : `no relay answers on ${origin} (${asked.reason})`;
  const part = look.readable && !look.search.complete ? "the newest part of the spool" : "the spool";
  const spool = look.readable ? `it is not in ${part} in ${directory}` : look.reason;
  const log = id.includes("@")
    ? "Logs and traces do not have Message-IDs: take the spool id from the client's 250 reply (Message accepted as ...) or from the Received field, and search for that"
    : `Every step of a message is a line with its id in the log of the pod that took it (search all pods' logs for ${id}), and its spans have the attribute mailboat.spool.id`;
  return [
    `nothing is known of ${id} here: ${relay}, and ${spool}.`,
    "A message stays with the pod that accepted it: ask the relay's other pods, too.",
    `${log}.`,
    "",
  ].join("\n");
}

function jsonOf(id: string, { asked, look, stories, queued }: Findings): string {
  const document = {
    version: 1,
    id,
    relay: asked.answers
      ? { answers: true, startedAt: asked.answer.startedAt, remembered: asked.answer.remembered }
      : { answers: false, reason: asked.reason },
    spool: look.readable
      ? { readable: true, complete: look.search.complete }
      : { readable: false, reason: look.reason },
    stories,
    queued: queued
      .filter((message) => !stories.some((story) => story.spoolId === message.id && isSettled(story)))
      .map(queuedDocument),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

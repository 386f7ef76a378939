/**
 * The page's JSON API, which docs/page.md describes: what is asked for, and what it is answered. Who may ask was decided before
 * (guard.ts).
 */
import { behaviourRows, codeRow } from "../capture/behaviour.ts";
import { type Answer, json, notFound, plain, sourceAnswer } from "./answer.ts";
import { type Octets, readWhole } from "./content.ts";
import { frameDocument, framePolicy } from "./frame.ts";
import { partHeaders } from "./guard.ts";
import type { Mailbox } from "./mailbox/mailbox.ts";
import { mostWords, wordsOf } from "./mailbox/search.ts";
import type { Behaviour } from "./shapes.ts";
import type { Story } from "./story.ts";

export interface Asked {
  /** Behind `/api`. */
  readonly path: readonly string[];
  readonly wishes: URLSearchParams;
  /** Aborted when whoever asked has gone. */
  readonly signal: AbortSignal;
}

const unknown = plain(404, "This message is not known (any more).");
const lost = plain(404, "Nobody has this message any more: its file was deleted, and no spool holds it.");
const waits = plain(
  409,
  "This message waits in a spool, so it stays: it can be deleted when it has been delivered or has bounced.",
);
const noWords = plain(
  400,
  "Nothing was deleted: there are no words behind ?search=. Write some, or leave the question mark out to delete all.",
);
const tooManyWords = plain(
  400,
  `Nothing was deleted: a search takes ${mostWords} words at most, and without the others more would be found.`,
);
const readAllName = "read";
const recipients: readonly Behaviour[] = [...behaviourRows, codeRow].map(({ localPart, does }) => ({
  localPart,
  does,
}));

/** GET. */
export async function answerQuestion(mailbox: Mailbox, asked: Asked): Promise<Answer> {
  const { path, wishes, signal } = asked;
  const [room, id, what] = path;
  if (room === "recipients" && path.length === 1) return json(recipients);
  if (room !== "messages") return notFound;
  if (id === undefined) return json(await mailbox.list(soughtWords(wishes).slice(0, mostWords), signal));
  const story = mailbox.find(id);
  if (story === undefined) return unknown;
  if (what === undefined) return json(await mailbox.detail(story));
  const raw = await mailbox.raw(story);
  if (raw === undefined) return lost;
  if (what === "source" && path.length === 3) return sourceAnswer(raw.name, raw.octets, wishes.has("save"));
  return partAnswer(raw.octets, path.slice(2), wishes);
}

/** POST and DELETE. */
export async function answerChange(mailbox: Mailbox, method: string, asked: Asked): Promise<Answer> {
  const { path, wishes, signal } = asked;
  const [room, id, what] = path;
  if (room !== "messages" || path.length > 3) return notFound;
  if (method === "DELETE" && id === undefined) return clearAnswer(mailbox, wishes, signal);
  if (method === "POST" && id === readAllName && what === undefined)
    return json({ read: await mailbox.mark(mailbox.stories, true) });
  const story = id === undefined ? undefined : mailbox.find(id);
  if (story === undefined) return id === undefined ? notFound : unknown;
  if (method === "DELETE" && what === undefined) return (await mailbox.remove(story)) ? json({ deleted: 1 }) : waits;
  return method === "POST" ? markAnswer(mailbox, story, what) : notFound;
}

/** Whoever deletes by a search that cannot be carried out as it stands would lose more than was meant: nothing is deleted then. */
async function clearAnswer(mailbox: Mailbox, wishes: URLSearchParams, signal: AbortSignal): Promise<Answer> {
  const words = soughtWords(wishes);
  if (wishes.size > 0 && words.length === 0) return noWords;
  if (words.length > mostWords) return tooManyWords;
  return json(await mailbox.clear(words, signal));
}

function soughtWords(wishes: URLSearchParams): readonly string[] {
  return wordsOf(wishes.getAll("search").join(" "));
}

async function markAnswer(mailbox: Mailbox, story: Story, what: string | undefined): Promise<Answer> {
  if (what !== "read" && what !== "unread") return notFound;
  return json({ [what]: await mailbox.mark([story], what === "read") });
}

/** `html` and `parts/<number>` of a message. */
export async function partAnswer(octets: Octets, path: readonly string[], wishes: URLSearchParams): Promise<Answer> {
  const [what, number] = path;
  const message = await readWhole(octets);
  if (message === undefined) return plain(404, "This message cannot be taken apart.");
  if (what === "html" && path.length === 1 && message.html !== undefined) {
    const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": framePolicy };
    return { status: 200, headers, body: frameDocument(message.html, message.parts) };
  }
  const part = what === "parts" && path.length === 2 ? message.parts[Number(number)] : undefined;
  if (part === undefined) return notFound;
  return { status: 200, headers: partHeaders(part, wishes.has("show")), body: part.bytes };
}

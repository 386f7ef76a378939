/** The stories of a state folder as its files tell them, whether local mode runs on it or not. It writes nothing. */
import { join } from "node:path";
import { summarizeMessage } from "../capture/mime.ts";
import { readCaptured, readJournal } from "../page/journal.ts";
import { History } from "../page/story.ts";
import { readWaiting, type WaitingMail } from "../waiting.ts";

export interface Past {
  readonly history: History;
  /** By spool id. */
  readonly waiting: ReadonlyMap<string, WaitingMail>;
}

const keptStories = 20_000;
const waitingLooked = 2_000;

export async function readPast(state: string): Promise<Past> {
  const history = new History(keptStories);
  for (const past of await readJournal(join(state, "history.jsonl"))) {
    if (past.kind === "forgotten") history.forgetNames(past.names);
    else history.take(past);
  }
  for (const past of await readCaptured(join(state, "captured"), keptStories)) history.take(past);
  const { oldest } = await readWaiting(state, waitingLooked);
  for (const { spoolId, acceptedAt, from, recipients, header } of oldest) {
    const at = new Date(acceptedAt).toISOString();
    const to = recipients.map(({ address }) => address);
    const summary = await summarizeMessage(header, false).catch(() => undefined);
    if (summary !== undefined) history.take({ kind: "waiting", waiting: { spoolId, at, from, to, summary } });
  }
  history.sort();
  return { history, waiting: new Map(oldest.map((mail) => [mail.spoolId, mail])) };
}

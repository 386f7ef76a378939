/** The page as local mode uses it: what happens goes into the history, the journal and to whoever watches. */
import { join } from "node:path";
import { summarizeMessage } from "../capture/mime.ts";
import { Feed } from "./feed.ts";
import { Journal, readCaptured } from "./journal.ts";
import { outlineOf } from "./outline.ts";
import { startPage } from "./server.ts";
import { peekSpool } from "./spoolpeek.ts";
import { type Happening, History, type Told } from "./story.ts";

const keptStories = 1000;
/** Changes of one message within this time are told once. */
const gatherMs = 50;

export interface PageOptions {
  readonly stateDirectory: string;
  readonly host: string;
  readonly port: number;
  readonly now: () => number;
  readonly onError: (error: Error) => void;
}

export interface Page {
  readonly port: number;
  take(happening: Happening): void;
  close(): Promise<void>;
}

/** Resolves when the page can be opened, with what earlier runs left. */
export async function openPage(options: PageOptions): Promise<Page> {
  const { stateDirectory, host, port, now, onError } = options;
  const directory = join(stateDirectory, "captured");
  const journal = await Journal.open(join(stateDirectory, "history.jsonl"), onError);
  const history = new History(keptStories);
  for (const past of await journal.read()) history.take(past);
  for (const past of await readCaptured(directory, keptStories)) history.take(past);
  history.sort();
  const feed = new Feed(now().toString(36));
  const server = await startPage({ host, port, directory, history, feed, onError });
  const changed = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const tell = (): void => {
    timer = undefined;
    for (const id of changed) {
      const story = history.find(id);
      if (story === undefined || story.id !== id) feed.publish("gone", { id });
      if (story !== undefined) feed.publish("message", outlineOf(story, history));
    }
    changed.clear();
  };
  const take = (happening: Happening): void => {
    journal.note(happening);
    for (const id of history.take(happening)) changed.add(id);
    timer ??= setTimeout(tell, gatherMs);
  };
  /** What was put off and has no subject yet: its header is in the spool. */
  const lookInto = async ({ pod, event }: Told): Promise<void> => {
    const { spoolId = "", time: at } = event;
    const story = history.find(spoolId);
    if (event.msg !== "deferred" || story?.waiting !== undefined || story?.copies.length !== 0) return;
    const spooled = peekSpool(join(stateDirectory, "pods", pod, "spool/spool.db"), spoolId);
    if (spooled === undefined) return;
    const summary = await summarizeMessage(spooled.header, false);
    take({ kind: "waiting", waiting: { spoolId, at, from: spooled.from, to: [...spooled.to], summary } });
  };
  return {
    port: server.port,
    take(happening) {
      take(happening);
      if (happening.kind === "mail") lookInto(happening).catch(onError);
    },
    async close() {
      clearTimeout(timer);
      await server.close();
      await journal.close();
    },
  };
}

/** The page as local mode uses it: what happens goes into the history, the journal and to whoever watches. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { summarizeMessage } from "../capture/mime.ts";
import { writeFileAtomically } from "../files.ts";
import { Feed } from "./feed.ts";
import { Journal, readCaptured } from "./journal.ts";
import { CapturedFiles } from "./mailbox/capturedfiles.ts";
import { Mailbox } from "./mailbox/mailbox.ts";
import { ReadMarks } from "./mailbox/readmarks.ts";
import { startPage } from "./server.ts";
import { peekSpool, spoolOf } from "./spoolpeek.ts";
import { type Happening, History, type Told } from "./story.ts";

/** Besides the captured messages: those that wait, that bounced, that were refused. */
const otherStories = 1000;
/** Changes of one message within this time are told once. */
const gatherMs = 50;
const tokenBytes = 32;

export interface PageOptions {
  readonly stateDirectory: string;
  readonly host: string;
  readonly port: number;
  /** How many captured messages stay. */
  readonly keep: number;
  /** Called the first time that older ones go to make room. */
  readonly onPruned: () => void;
  readonly now: () => number;
  readonly onError: (error: Error) => void;
  /** Told of each question. */
  readonly onAsked?: () => void;
}

export interface Page {
  readonly port: number;
  /** Somebody has it open. */
  isFollowed(): boolean;
  take(happening: Happening): void;
  close(): Promise<void>;
}

/** Resolves when the page can be opened, with what earlier runs left. */
export async function openPage(options: PageOptions): Promise<Page> {
  const { stateDirectory, host, port, keep, onPruned, onError, onAsked } = options;
  const directory = join(stateDirectory, "captured");
  const feed = new Feed(options.now().toString(36));
  const journal = await Journal.open(join(stateDirectory, "history.jsonl"), onError);
  const history = await readPast({ journal, directory, keep, onError });
  const marks = await ReadMarks.open(join(stateDirectory, "read.json"));
  const changes = new Changes((id) => {
    const story = history.find(id);
    if (story === undefined || story.id !== id) feed.publish("gone", { id });
    if (story !== undefined) feed.publish("message", mailbox.listed(story));
  });
  const onGone = (gone: readonly string[]): void => {
    for (const file of gone) changes.note(history.find(file)?.id ?? file);
  };
  const files = await CapturedFiles.open({ directory, onGone, onError });
  const mailbox = new Mailbox({
    stateDirectory,
    history,
    journal,
    files,
    marks,
    keep,
    onChanged: (id) => changes.note(id),
    onManyChanged: (why) => feed.publish(why, {}),
    onPruned,
  });
  mailbox.forgetGone();
  await mailbox.prune();
  const token = randomBytes(tokenBytes).toString("base64url");
  const tokenFile = join(stateDirectory, "page-token");
  await writeFileAtomically(tokenFile, `${token}\n`);
  const server = await startPage({ host, port, files, mailbox, feed, token, onError, onAsked });
  const take = (happening: Happening): void => {
    journal.note(happening);
    for (const id of history.take(happening)) changes.note(id);
    if (happening.kind !== "captured") return;
    files.note(happening.message.file);
    mailbox.prune().catch(onError);
  };
  const lookInto = spoolLook(stateDirectory, history, take);
  return {
    port: server.port,
    isFollowed: () => feed.isFollowed,
    take(happening) {
      take(happening);
      if (happening.kind === "mail") lookInto(happening).catch(onError);
    },
    async close() {
      changes.close();
      files.close();
      await server.close();
      await rm(tokenFile, { force: true });
      await journal.close();
    },
  };
}

/** Ids of stories that changed, told together after a while. */
class Changes {
  readonly #tell: (id: string) => void;
  readonly #ids = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (id: string) => void) {
    this.#tell = tell;
  }

  note(id: string): void {
    this.#ids.add(id);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const ids = [...this.#ids];
      this.#ids.clear();
      for (const one of ids) this.#tell(one);
    }, gatherMs);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

interface Past extends Pick<PageOptions, "keep" | "onError"> {
  readonly journal: Journal;
  /** Where captured messages lie. */
  readonly directory: string;
}

/** What earlier runs left. What a person deleted then is in the files no longer once they were read. */
async function readPast({ journal, directory, keep, onError }: Past): Promise<History> {
  const history = new History(keep + otherStories);
  const past = await journal.read();
  for (const entry of past) {
    if (entry.kind === "forgotten") history.forgetNames(entry.names);
    else history.take(entry);
  }
  for (const captured of await readCaptured(directory, keep)) history.take(captured);
  history.sort();
  if (past.some(({ kind }) => kind === "forgotten")) await journal.rewrite(history.happenings()).catch(onError);
  return history;
}

/** What was put off, or captured, and has no subject yet: its header is in the spool. */
function spoolLook(stateDirectory: string, history: History, take: (happening: Happening) => void) {
  return async ({ pod, event }: Told): Promise<void> => {
    const { spoolId = "", time: at } = event;
    const story = history.find(spoolId);
    if (event.msg !== "deferred" && event.msg !== "captured") return;
    if (story === undefined || story.waiting !== undefined || story.copies.length !== 0) return;
    const spooled = peekSpool(spoolOf(stateDirectory, pod), spoolId);
    if (spooled === undefined) return;
    const summary = await summarizeMessage(spooled.header, false);
    take({ kind: "waiting", waiting: { spoolId, at, from: spooled.from, to: [...spooled.to], summary } });
  };
}

/**
 * What a person can do with the messages: list, look, search, mark, delete. The history says what is known of them, the captured files
 * and the spools hold them, and only what has left every spool is ever deleted.
 *
 * A file that cannot be removed keeps its message, and whoever asked hears why.
 */
import { detailOf } from "../detail.ts";
import { type Octets, readContent } from "../content.ts";
import type { Journal } from "../journal.ts";
import { outlineOf } from "../outline.ts";
import type { CapturedCopy, Copy, Detail, Outline, StoryOutline } from "../shapes.ts";
import { heldIn, spoolsIn } from "../spoolpeek.ts";
import type { History, Story } from "../story.ts";
import { capturedFile } from "../../capture/record.ts";
import type { CapturedFiles } from "./capturedfiles.ts";
import { heldOf, viewOf } from "./held.ts";
import type { ReadMarks } from "./readmarks.ts";
import { Search } from "./search.ts";

export interface MailboxParts {
  readonly stateDirectory: string;
  readonly history: History;
  readonly journal: Journal;
  readonly files: CapturedFiles;
  readonly marks: ReadMarks;
  /** How many captured messages stay. */
  readonly keep: number;
  /** A story is another one now, or gone. */
  readonly onChanged: (id: string) => void;
  /** So many are others, or gone, that the list is better read again. */
  readonly onManyChanged: (why: "cleared" | "list") => void;
  /** Called the first time that older messages go to make room. */
  readonly onPruned: () => void;
}

/** More than these at once are not told one by one. */
const toldOneByOne = 50;

export interface Cleared {
  readonly deleted: number;
  /** Those that stay because a spool holds them. */
  readonly waiting: number;
}

/** As it is saved: its octets, and a name for the file. */
export interface Raw {
  readonly name: string;
  readonly octets: Octets;
}

export class Mailbox {
  readonly #parts: MailboxParts;
  readonly #search: Search;
  #pruning: Promise<void> | undefined;
  #hasPruned = false;

  constructor(parts: MailboxParts) {
    this.#parts = parts;
    this.#search = new Search((file) => parts.files.path(file));
  }

  find(id: string): Story | undefined {
    return this.#parts.history.find(id);
  }

  listed(story: Story): Outline {
    const { history, files, marks } = this.#parts;
    return {
      ...outlineOf(story, history),
      unread: ![story.id, ...story.spoolIds].some((id) => marks.has(id)),
      gone: story.copies.length > 0 && !story.copies.some(({ file }) => files.has(file)),
    };
  }

  /** Without words, all of them. Oldest first. */
  async list(words: readonly string[], signal: AbortSignal): Promise<readonly Outline[]> {
    await this.#parts.files.look();
    return (await this.#matching(words, signal)).map((story) => this.listed(story));
  }

  async detail(story: Story): Promise<Detail> {
    const { history, files } = this.#parts;
    await files.look();
    const { copies, ...detail } = detailOf(story, history);
    const held = copies.length > 0 ? undefined : await heldOf(story, this.#parts);
    return {
      ...detail,
      ...this.listed(story),
      copies: await Promise.all(copies.map((copy) => this.#copy(copy))),
      held: held === undefined ? null : await viewOf(held),
    };
  }

  /** Undefined when nobody has it any more. */
  async raw(story: Story): Promise<Raw | undefined> {
    for (const { file } of story.copies) {
      const path = await this.#parts.files.path(file);
      if (path !== undefined) return { name: file, octets: { file: path } };
    }
    const held = story.copies.length > 0 ? undefined : await heldOf(story, this.#parts);
    return held === undefined ? undefined : { name: `${story.id}.eml`, octets: held.octets };
  }

  /** All that are known, when no ids are given. Resolves to how many there were. */
  async mark(stories: readonly Story[], isRead: boolean): Promise<number> {
    const { history, marks } = this.#parts;
    const known = new Set(history.stories.flatMap((story) => [story.id, ...story.spoolIds]));
    const ids = stories.flatMap((story) => (isRead ? [story.id] : [story.id, ...story.spoolIds]));
    await marks.mark(ids, isRead, known);
    this.#changed(stories);
    return stories.length;
  }

  get stories(): readonly Story[] {
    return this.#parts.history.stories;
  }

  /** False when it waits: then nothing is done. */
  async remove(story: Story): Promise<boolean> {
    if ((await this.#waiting([story])).size > 0) return false;
    await this.#forget(story);
    this.#changed([story]);
    return true;
  }

  /** Everything, or what holds these words, but for what waits in a spool. */
  async clear(words: readonly string[], signal: AbortSignal): Promise<Cleared> {
    const { history, journal, files, onManyChanged } = this.#parts;
    const stories = await this.#matching(words, signal);
    const waiting = await this.#waiting(stories);
    const going = stories.filter((story) => !waiting.has(story));
    for (const story of going) await this.#forget(story);
    if (words.length > 0) this.#changed(going);
    else {
      // Files that the list has no room for, or that nobody could read.
      for (const file of files.beyond(0)) if (history.find(file) === undefined) await this.#removeFile(file);
      // Nothing of them is left on disk, not even in the file that says what happened.
      await journal.rewrite(history.happenings());
      onManyChanged("cleared");
    }
    return { deleted: going.length, waiting: waiting.size };
  }

  /** Makes room when there are more captured messages than are kept: the oldest go. */
  prune(): Promise<void> {
    this.#pruning ??= this.#prune().finally(() => {
      this.#pruning = undefined;
    });
    return this.#pruning;
  }

  async #prune(): Promise<void> {
    const { files, history, keep, onChanged, onPruned } = this.#parts;
    for (let many = files.beyond(keep); many.length > 0; many = files.beyond(keep)) {
      if (!this.#hasPruned) onPruned();
      this.#hasPruned = true;
      for (const file of many) {
        await this.#removeFile(file);
        const story = history.find(file);
        if (story === undefined) continue;
        const isDone = !stillGoes(outlineOf(story, history)) && !story.copies.some((copy) => files.has(copy.file));
        if (isDone) history.forget(story);
        onChanged(story.id);
      }
    }
  }

  /** What an earlier run captured and a person has deleted since: it is not listed again. */
  forgetGone(): void {
    const { history, files } = this.#parts;
    for (const story of history.stories) {
      const kept = story.told.flatMap(({ event }) => capturedFile(event.reply) ?? []);
      if (kept.length === 0 || story.copies.length > 0 || kept.some((file) => files.has(file))) continue;
      if (!stillGoes(outlineOf(story, history))) history.forget(story);
    }
  }

  async #copy(copy: CapturedCopy): Promise<Copy> {
    const path = await this.#parts.files.path(copy.file);
    if (path === undefined) return { ...copy, gone: true, content: null, note: goneNote(copy.file) };
    return { ...copy, gone: false, content: await readContent({ file: path }), note: null };
  }

  #matching(words: readonly string[], signal: AbortSignal): Promise<readonly Story[]> {
    const { history } = this.#parts;
    const stories = history.stories;
    if (words.length === 0) return Promise.resolve(stories);
    const searched = stories.map((story) => {
      const { subject, from, to, standing, reply } = outlineOf(story, history);
      const text = [subject ?? "", from, ...to, standing, reply ?? ""].join("\n");
      return { value: story, text, files: story.copies.map(({ file }) => file) };
    });
    return this.#search.find(searched, words, signal);
  }

  /** The spools are asked: what the log says may be older, or lost with its relay. It counts where a spool cannot be read. */
  async #waiting(stories: readonly Story[]): Promise<ReadonlySet<Story>> {
    const { stateDirectory, history } = this.#parts;
    const byId = new Map(stories.flatMap((story) => [...story.spoolIds].map((id) => [id, story] as const)));
    const ids = [...byId.keys()];
    const going = new Set(stories.filter((story) => stillGoes(outlineOf(story, history))));
    const believed = [...byId].filter(([, story]) => going.has(story)).map(([id]) => id);
    const waiting = new Set<Story>();
    if (ids.length === 0) return waiting;
    for (const { directory } of await spoolsIn(stateDirectory)) {
      for (const id of heldIn(directory, ids, believed)) {
        const story = byId.get(id);
        if (story !== undefined) waiting.add(story);
      }
    }
    return waiting;
  }

  async #forget(story: Story): Promise<void> {
    const { history, journal } = this.#parts;
    for (const { file } of story.copies) await this.#removeFile(file);
    journal.note({ kind: "forgotten", names: history.forget(story) });
  }

  #changed(stories: readonly Story[]): void {
    const { onChanged, onManyChanged } = this.#parts;
    if (stories.length > toldOneByOne) onManyChanged("list");
    else for (const { id } of stories) onChanged(id);
  }

  async #removeFile(file: string): Promise<void> {
    this.#search.forget(file);
    await this.#parts.files.remove(file);
  }
}

/** Something of it may be in a spool. */
function stillGoes({ standing }: StoryOutline): boolean {
  return standing === "waiting" || standing === "retrying";
}

function goneNote(file: string): string {
  return `${file} is no longer in the folder of captured messages: somebody deleted it there, or it was too old to be kept`;
}

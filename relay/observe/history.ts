/**
 * What the relay remembers of recent messages, so that somebody can ask it for one message's story. In memory and bounded;
 * pure but for that memory.
 *
 * A message that goes through at once is soon forgotten, one in trouble is remembered longer: a flood of ordinary mail
 * does not wash away the few messages that people ask for.
 */
import type { SpoolId } from "../spool/message/id.ts";
import type { StoryHead, Transition } from "./transition.ts";

export type StoryEvent = Transition & {
  /** ms since the epoch. */
  readonly at: number;
};

export interface Story {
  readonly head: StoryHead;
  /** In the order in which they happened. */
  readonly events: readonly StoryEvent[];
  /** How many events between the first ones and the last ones are forgotten. */
  readonly forgotten: number;
}

export interface HistoryLimits {
  /** Messages without trouble. */
  readonly smooth: number;
  /** Messages with a deferral, failure or notice. */
  readonly troubled: number;
  /** At least 2. When there are more, the first half and the newest ones stay. */
  readonly events: number;
  /** Of memory, as weightOf() and headWeight() estimate it; the oldest messages of the heavier kind go first. */
  readonly bytes: number;
}

/**
 * Measured at 1.2 KiB a message of three events: about 12 MiB when full of ordinary mail. Messages that wait for days with
 * replies of many words would be ten times as heavy, and the relay's container has half a GiB for everything.
 */
export const defaultHistoryLimits: HistoryLimits = {
  smooth: 5_000,
  troubled: 5_000,
  events: 64,
  bytes: 40 * 1024 * 1024,
};

/** Longer ones are not indexed; RFC 5322 section 2.1.1 keeps a line, and so most Message-IDs, below 998. */
const longestMessageId = 512;

interface Kept {
  readonly head: StoryHead;
  readonly events: StoryEvent[];
  forgotten: number;
  bytes: number;
}

export class MessageHistory {
  readonly #limits: HistoryLimits;
  readonly #smooth: Shelf;
  readonly #troubled: Shelf;
  /** A client may send one message in several transactions, or give all it sends the same Message-ID. */
  readonly #byMessageId = new Map<string, SpoolId | Set<SpoolId>>();

  constructor(limits: HistoryLimits = defaultHistoryLimits) {
    this.#limits = limits;
    this.#smooth = new Shelf(limits.smooth);
    this.#troubled = new Shelf(limits.troubled);
  }

  /** Messages that are remembered now. */
  get size(): number {
    return this.#smooth.stories.size + this.#troubled.stories.size;
  }

  /** `head` is asked for when the message is not known. */
  add(event: StoryEvent, head: () => StoryHead): void {
    const id = event.line.spoolId;
    const kept = this.#keptOf(id) ?? this.#begin(id, head());
    kept.events.push(event);
    let bytes = weightOf(event);
    if (kept.events.length > this.#limits.events) {
      for (const left of kept.events.splice(Math.floor(this.#limits.events / 2), 1)) bytes -= weightOf(left);
      kept.forgotten += 1;
    }
    const shelf = this.#smooth.stories.has(id) ? this.#smooth : this.#troubled;
    shelf.gain(kept, bytes);
    if (isTrouble(event) && shelf === this.#smooth) {
      shelf.take(id);
      this.#forget(this.#troubled.put(id, kept));
    }
    this.#keepWithin();
  }

  #keepWithin(): void {
    while (this.#smooth.bytes + this.#troubled.bytes > this.#limits.bytes && this.size > 1) {
      const heavier = this.#smooth.bytes > this.#troubled.bytes ? this.#smooth : this.#troubled;
      this.#forget(heavier.takeOldest());
    }
  }

  /** The stories of a spool id or a Message-ID, with or without its angle brackets. */
  find(asked: string): readonly Story[] {
    const named = this.#byMessageId.get(withBrackets(asked)) ?? (asked as SpoolId);
    const ids = typeof named === "string" ? [named] : [...named];
    return ids.flatMap((id) => {
      const kept = this.#keptOf(id);
      return kept === undefined ? [] : [{ head: kept.head, events: kept.events, forgotten: kept.forgotten }];
    });
  }

  #keptOf(id: SpoolId): Kept | undefined {
    return this.#troubled.stories.get(id) ?? this.#smooth.stories.get(id);
  }

  #begin(id: SpoolId, head: StoryHead): Kept {
    const kept: Kept = { head, events: [], forgotten: 0, bytes: headWeight(head) };
    const pushedOut = this.#smooth.put(id, kept);
    const { messageId } = head;
    if (messageId !== undefined && messageId.length <= longestMessageId) {
      const others = this.#byMessageId.get(messageId);
      if (others instanceof Set) others.add(id);
      else this.#byMessageId.set(messageId, others === undefined ? id : new Set([others, id]));
    }
    this.#forget(pushedOut);
    return kept;
  }

  #forget(story: Kept | undefined): void {
    if (story === undefined) return;
    const { messageId = "", spoolId } = story.head;
    const named = this.#byMessageId.get(messageId);
    if (named instanceof Set && named.size > 1) named.delete(spoolId);
    else if (named !== undefined) this.#byMessageId.delete(messageId);
  }
}

/**
 * The newest so many stories. The order is a ring beside the map, because a map whose oldest entry goes with each new one
 * looks for it among all that went before.
 */
class Shelf {
  readonly stories = new Map<SpoolId, Kept>();
  readonly #ring: (SpoolId | undefined)[] = [];
  readonly #limit: number;
  #next = 0;
  #oldest = 0;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  gain(story: Kept, bytes: number): void {
    story.bytes += bytes;
    this.#bytes += bytes;
  }

  /** Returns the story that had to make room, if it is still here. */
  put(id: SpoolId, story: Kept): Kept | undefined {
    const oldest = this.#ring[this.#next];
    this.#ring[this.#next] = id;
    this.#next = (this.#next + 1) % this.#limit;
    // A ring with a story in every place begins where it ends.
    if (oldest !== undefined) this.#oldest = this.#next;
    const pushedOut = oldest === undefined ? undefined : this.take(oldest);
    this.stories.set(id, story);
    this.#bytes += story.bytes;
    return pushedOut;
  }

  take(id: SpoolId): Kept | undefined {
    const story = this.stories.get(id);
    if (story === undefined) return undefined;
    this.stories.delete(id);
    this.#bytes -= story.bytes;
    return story;
  }

  takeOldest(): Kept | undefined {
    for (let looked = 0; looked < this.#limit; looked += 1) {
      const id = this.#ring[this.#oldest];
      this.#ring[this.#oldest] = undefined;
      this.#oldest = (this.#oldest + 1) % this.#limit;
      const story = id === undefined ? undefined : this.take(id);
      if (story !== undefined) return story;
    }
    return undefined;
  }
}

/** Measured: an object of some fields, and its reply. */
function weightOf({ line }: StoryEvent): number {
  return 400 + ("reply" in line ? line.reply.length : 0);
}

function headWeight({ destinations, messageId = "" }: StoryHead): number {
  return 400 + 2 * messageId.length + 100 * Object.keys(destinations ?? {}).length;
}

function isTrouble({ kind, line }: StoryEvent): boolean {
  return kind === "accepted" ? "noticeOf" in line : !smoothKinds.has(kind);
}

/** A pod that leaves hands over all it has: that must not wash away the few messages that people ask for. */
const smoothKinds: ReadonlySet<Transition["kind"]> = new Set(["delivered", "captured", "handed over", "taken over"]);

export function withBrackets(messageId: string): string {
  return messageId.startsWith("<") ? messageId : `<${messageId}>`;
}

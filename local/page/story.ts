/**
 * The story of a message: everything that relays and the capture exchanger told of it, put together by its spool ids,
 * its trace and the files it became. Pure: the history owns the stories and nobody else changes them.
 */
import { createHash } from "node:crypto";
import {
  answerId,
  type CaptureAnswer,
  capturedFile,
  type CapturedMessage,
  type WaitingMessage,
} from "../capture/record.ts";
import type { MailEvent } from "../terminal/mailline.ts";
import { type PodSpan, type SpanLine, spoolIdOf } from "../trace/spanline.ts";

export type Happening =
  | { readonly kind: "mail"; readonly pod: string; readonly event: MailEvent }
  | ({ readonly kind: "span" } & PodSpan)
  | { readonly kind: "captured"; readonly message: CapturedMessage }
  | { readonly kind: "answer"; readonly answer: CaptureAnswer }
  | { readonly kind: "waiting"; readonly waiting: WaitingMessage };

export interface Told {
  readonly pod: string;
  readonly event: MailEvent;
}

export interface Story {
  /** That of the first relay that took it; the file's name when no relay of ours did. */
  readonly id: string;
  /** One for each relay on its way. */
  readonly spoolIds: Set<string>;
  readonly told: Told[];
  readonly spans: PodSpan[];
  readonly copies: CapturedMessage[];
  readonly answers: CaptureAnswer[];
  /** As it lay in the spool when it was first put off. */
  waiting: WaitingMessage | undefined;
  /** ms since the epoch. */
  at: number;
}

/** So many names of forgotten stories are known: what is told of them afterwards is passed over. */
const keptForgotten = 20_000;

/** Spans and lines of one message are at most this many: a message that is tried for days must not fill the memory. */
const keptEntries = 400;

/**
 * The newest messages, oldest first. What is told of the same message finds its story by spool id; stories that turn
 * out to be one (a second relay, a captured file) are joined under the older id.
 */
export class History {
  readonly #limit: number;
  readonly #stories = new Map<string, Story>();
  /** Spool id, file name, what leads to a notice, or a side of a hop -> story. */
  readonly #index = new Map<string, Story>();
  /** Answers whose log line has not come yet. */
  readonly #answers = new Map<string, CaptureAnswer>();
  readonly #forgotten = new Set<string>();

  constructor(limit = 1000) {
    this.#limit = limit;
  }

  /** After the past was read, in whatever order: from now on the first is the oldest. */
  sort(): void {
    const sorted = [...this.#stories].toSorted(([, one], [, other]) => one.at - other.at);
    this.#stories.clear();
    for (const [id, story] of sorted) this.#stories.set(id, story);
  }

  get stories(): readonly Story[] {
    return [...this.#stories.values()];
  }

  find(id: string): Story | undefined {
    return this.#stories.get(id) ?? this.#index.get(id);
  }

  /** What this one is a notice of. */
  originalOf(story: Story): Story | undefined {
    for (const id of story.spoolIds) {
      const original = this.#index.get(noticeKey(id));
      if (original !== undefined) return original;
    }
    return undefined;
  }

  noticesOf(story: Story): readonly Story[] {
    return story.told.flatMap(({ event }) => {
      const notice = event.noticeId === undefined ? undefined : this.#index.get(event.noticeId);
      return notice === undefined ? [] : [notice];
    });
  }

  /** Its names: whoever forgets them again, in another run, forgets the same story. */
  forget(story: Story): readonly string[] {
    const names = [story.id, ...story.spoolIds, ...story.copies.map((copy) => copy.file)];
    this.#drop(story);
    for (const name of names) this.#forgotten.add(name);
    for (const name of this.#forgotten) {
      if (this.#forgotten.size <= keptForgotten) break;
      this.#forgotten.delete(name);
    }
    return names;
  }

  /** As an earlier run did. */
  forgetNames(names: readonly string[]): void {
    for (const name of names) {
      const story = this.find(name);
      if (story !== undefined) this.forget(story);
      this.#forgotten.add(name);
    }
  }

  /** Everything that the stories are made of, but for the captured messages. */
  happenings(): readonly Happening[] {
    return this.stories.flatMap((story): Happening[] => [
      // As it was told: the exchanger speaks before the relay that it answers.
      ...story.answers.map((answer) => ({ kind: "answer" as const, answer })),
      ...story.told.map(({ pod, event }) => ({ kind: "mail" as const, pod, event })),
      ...story.spans.map(({ pod, span }) => ({ kind: "span" as const, pod, span })),
      ...(story.waiting === undefined ? [] : [{ kind: "waiting" as const, waiting: story.waiting }]),
    ]);
  }

  /** Ids of the stories that changed; one that is gone was joined with another. */
  take(happening: Happening): readonly string[] {
    switch (happening.kind) {
      case "mail":
        return this.#mail(happening);
      case "span":
        return this.#span({ pod: happening.pod, span: happening.span });
      case "captured":
        return this.#captured(happening.message);
      case "answer":
        return this.#answered(happening.answer);
      case "waiting":
        return this.#waits(happening.waiting);
    }
  }

  #mail({ pod, event }: Told): readonly string[] {
    const at = Date.parse(event.time);
    const id = event.spoolId ?? this.#refusalId(event);
    if (this.#forgotten.has(id)) return [];
    const story = this.#open(id, at);
    add(story.told, { pod, event });
    if (event.noticeId !== undefined) this.#index.set(noticeKey(event.noticeId), story);
    // The file or the answer may have told of itself before the relay knew of it.
    const file = capturedFile(event.reply);
    const captured = file === undefined ? undefined : this.#index.get(file);
    if (captured !== undefined && captured !== story) return this.#join(story, captured);
    const answer = this.#answers.get(answerId(event.reply) ?? "");
    if (answer !== undefined) {
      this.#answers.delete(answer.id);
      add(story.answers, answer);
    }
    return [story.id];
  }

  /** The same in each run that reads of it; two that agree in everything are told apart by their order. */
  #refusalId(event: MailEvent): string {
    const digest = createHash("sha256").update(JSON.stringify(event)).digest("hex").slice(0, 12);
    for (let number = 1; ; number += 1) {
      const id = `refused-${Date.parse(event.time).toString(36)}-${digest}${number === 1 ? "" : `-${number}`}`;
      if (!this.#stories.has(id) && !this.#forgotten.has(id)) return id;
    }
  }

  #span(entry: PodSpan): readonly string[] {
    const spoolId = spoolIdOf(entry.span);
    if (spoolId === undefined || this.#forgotten.has(spoolId)) return [];
    const { startMs } = entry.span;
    const story = this.#open(spoolId, startMs);
    add(story.spans, entry);
    const hop = hopOf(entry.span);
    if (hop === undefined) return [story.id];
    this.#index.set(`${hop.side} ${hop.id}`, story);
    const otherSide = this.#index.get(`${hop.side === "sent" ? "taken" : "sent"} ${hop.id}`);
    return otherSide === undefined || otherSide === story ? [story.id] : this.#join(otherSide, story);
  }

  #captured(message: CapturedMessage): readonly string[] {
    const known = (message.summary?.receivedIds ?? []).filter((id) => isSpoolId(id));
    // A file that is there is shown, whatever was forgotten before it came.
    for (const id of [message.file, ...known]) this.#forgotten.delete(id);
    const [first = message.file, ...others] = known;
    const story = this.#open(first, Date.parse(message.receivedAt));
    this.#index.set(message.file, story);
    add(story.copies, message);
    const original = this.originalOf(story);
    const changed = new Set(original === undefined ? [story.id] : [story.id, original.id]);
    for (const id of others) {
      const other = this.#index.get(id);
      const own = this.#index.get(first);
      if (other !== undefined && own !== undefined && other !== own) {
        for (const one of this.#join(own, other)) changed.add(one);
      }
    }
    return [...changed];
  }

  #answered(answer: CaptureAnswer): readonly string[] {
    const id = answer.summary?.receivedIds.find((one) => isSpoolId(one));
    if (id !== undefined && this.#forgotten.has(id)) return [];
    if (id !== undefined) {
      const story = this.#open(id, Date.parse(answer.at));
      add(story.answers, answer);
      return [story.id];
    }
    this.#answers.set(answer.id, answer);
    if (this.#answers.size > this.#limit) this.#answers.delete(this.#answers.keys().next().value ?? "");
    return [];
  }

  #waits(waiting: WaitingMessage): readonly string[] {
    if (this.#forgotten.has(waiting.spoolId)) return [];
    const story = this.#open(waiting.spoolId, Date.parse(waiting.at));
    story.waiting ??= waiting;
    return [story.id];
  }

  #open(id: string, at: number): Story {
    const known = this.#index.get(id);
    if (known !== undefined) {
      known.at = Math.min(known.at, at);
      return known;
    }
    const story: Story = {
      id,
      spoolIds: new Set(),
      told: [],
      spans: [],
      copies: [],
      answers: [],
      waiting: undefined,
      at,
    };
    if (isSpoolId(id)) story.spoolIds.add(id);
    this.#stories.set(id, story);
    this.#index.set(id, story);
    if (this.#stories.size > this.#limit) this.#forgetOldest();
    return story;
  }

  /** Both under the id of the older one. */
  #join(one: Story, other: Story): readonly string[] {
    const [kept, gone] = one.at <= other.at ? [one, other] : [other, one];
    for (const id of gone.spoolIds) kept.spoolIds.add(id);
    kept.told.push(...gone.told);
    kept.spans.push(...gone.spans);
    kept.copies.push(...gone.copies);
    kept.answers.push(...gone.answers);
    kept.waiting ??= gone.waiting;
    this.#stories.delete(gone.id);
    for (const [key, story] of this.#index) if (story === gone) this.#index.set(key, kept);
    return [kept.id, gone.id];
  }

  #forgetOldest(): void {
    const oldest = this.#stories.values().next().value;
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(story: Story): void {
    this.#stories.delete(story.id);
    for (const key of keysOf(story)) if (this.#index.get(key) === story) this.#index.delete(key);
  }
}

/**
 * The way from a relay of ours to the next one, of which both tell: what one took stands in the trace below what the other sent, and
 * is the same message. Several messages of one trace are not: a program may send two within one request.
 */
function hopOf(span: SpanLine): { readonly side: "sent" | "taken"; readonly id: string } | undefined {
  if (span.name === "smtp.receive" && span.parentSpanId !== undefined) return { side: "taken", id: span.parentSpanId };
  return span.name === "smtp.send" && span.status.code !== "ERROR" ? { side: "sent", id: span.spanId } : undefined;
}

function keysOf(story: Story): readonly string[] {
  return [
    story.id,
    ...story.spoolIds,
    ...story.copies.map((copy) => copy.file),
    ...story.spans.flatMap(({ span }) => {
      const hop = hopOf(span);
      return hop === undefined ? [] : [`${hop.side} ${hop.id}`];
    }),
    ...story.told.flatMap(({ event }) => (event.noticeId === undefined ? [] : [noticeKey(event.noticeId)])),
  ];
}

/** Under which the index leads from a notice to what it is about. */
function noticeKey(noticeId: string): string {
  return `notice ${noticeId}`;
}

function add<T>(list: T[], entry: T): void {
  list.push(entry);
  if (list.length > keptEntries) list.splice(1, 1);
}

/** 9 characters of time and 12 of chance: what our relays put behind `id` in a Received field. */
export function isSpoolId(text: string): boolean {
  return /^[0-9a-z]{9}[0-9a-f]{12}$/.test(text);
}

/**
 * Answers for as long as their owners allow. Time is an argument; nothing here waits or asks.
 *
 * Promise: bounded in size, the least lately used go first; an answer is never given longer than its TTL, and not longer
 * than a day (RFC 8767 section 4 shows what longer ones do to people who move a domain).
 */
import type { Answer, Question } from "./answer.ts";

/** RFC 2308 section 5: one to three hours is long enough for "no". */
const longestNegativeSeconds = 3_600;
const longestPositiveSeconds = 86_400;
/** RFC 2308 section 7: trouble may be remembered, for five minutes at most. Mail waits longer than this in any case. */
const troubleSeconds = 5;

interface Kept {
  readonly answer: Answer;
  /** ms since the epoch. */
  readonly until: number;
}

export class AnswerCache {
  readonly #kept = new Map<string, Kept>();
  readonly #entries: number;

  constructor(entries = 10_000) {
    this.#entries = entries;
  }

  get(question: Question, now: number): Answer | undefined {
    const key = keyOf(question);
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    this.#kept.delete(key);
    if (kept.until <= now) return undefined;
    this.#kept.set(key, kept);
    return kept.answer;
  }

  put(question: Question, answer: Answer, now: number): void {
    const seconds = keepSeconds(answer);
    if (seconds <= 0) return;
    const key = keyOf(question);
    this.#kept.delete(key);
    this.#kept.set(key, { answer, until: now + seconds * 1000 });
    if (this.#kept.size <= this.#entries) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }

  get size(): number {
    return this.#kept.size;
  }
}

export function keyOf(question: Question): string {
  return `${question.type} ${question.name}`;
}

function keepSeconds(answer: Answer): number {
  switch (answer.kind) {
    case "records":
      return Math.min(answer.ttlSeconds, longestPositiveSeconds);
    case "no-data":
    case "no-domain":
      return Math.min(answer.ttlSeconds, longestNegativeSeconds);
    case "trouble":
      return troubleSeconds;
  }
}

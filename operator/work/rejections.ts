/**
 * What the API server would not take of each resource, as its status says it. The first words of a refusal stay for as long
 * as it says the same: its text may be another at each look, and a status that follows it would be written at each. Where even
 * the sense of the words changes from look to look, the looks come less and less often. All of it may be lost.
 */
import type { Rejection } from "./rejection.ts";
import { gistOf } from "./likeness.ts";

interface Refused {
  readonly rejections: readonly Rejection[];
  /** Of the spec that was carried out. */
  readonly generation: number;
  /** When these words were taken, milliseconds since the epoch. */
  readonly since: number;
  /** Looks in a row that each met something else. */
  readonly changes: number;
}

export interface Look {
  readonly generation: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Counts and times in the words are taken anew after this long, so that they are not those of another day. */
const wordsMs = 600_000;
const shortestPauseMs = 1_000;
const longestPauseMs = 60_000;

export class Rejections {
  readonly #refused = new Map<string, Refused>();

  /** `subject` is a MailRelay or SenderDomain as keyOf() spells it. */
  of(subject: string): readonly Rejection[] {
    return this.#refused.get(subject)?.rejections ?? [];
  }

  /** What the newest plan's writes met; empty when all were taken. True when that is news. */
  met(subject: string, rejections: readonly Rejection[], { generation = 0, now }: Look): boolean {
    const last = this.#refused.get(subject);
    if (rejections.length === 0) return this.forget(subject);
    if (last !== undefined && says(last.rejections) === says(rejections)) {
      const isFresh = last.generation === generation && now - last.since < wordsMs;
      if (isFresh || JSON.stringify(last.rejections) === JSON.stringify(rejections)) {
        this.#refused.set(subject, { ...last, changes: 0 });
        return false;
      }
    }
    this.#refused.set(subject, { rejections, generation, since: now, changes: (last?.changes ?? 0) + 1 });
    return true;
  }

  /** True when there was something to forget. */
  forget(subject: string): boolean {
    return this.#refused.delete(subject);
  }

  /** How long nobody looks again, in milliseconds: what is refused now is refused a moment later. */
  pauseMs(subject: string): number {
    const changes = this.#refused.get(subject)?.changes ?? 0;
    return changes === 0 ? 0 : Math.min(longestPauseMs, shortestPauseMs * 2 ** Math.min(30, changes - 1));
  }
}

function says(rejections: readonly Rejection[]): string {
  return JSON.stringify(rejections.map(({ field, message }) => [field, gistOf(message)]));
}

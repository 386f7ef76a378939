/**
 * What a stage thinks of a message or a command, and what several of them come to. Pure.
 *
 * A refusal for good beats one for now: a check that is down must not soften another's no. Beyond that the first in order says the
 * words. Marks of all that let it pass are kept, in order.
 */
import type { MarkField } from "../../mail/fields/mark.ts";
import type { Refusal } from "../../mail/reply.ts";

export type Verdict =
  | { readonly kind: "pass" }
  /** Passes, with fields that are put on top of its header. */
  | { readonly kind: "mark"; readonly fields: readonly MarkField[] }
  /** `by` is the stage's name. */
  | { readonly kind: "defer" | "refuse"; readonly by: string; readonly refusal: Refusal };

export type Passed = Exclude<Verdict, { readonly refusal: Refusal }>;
export type Stopped = Exclude<Verdict, Passed>;

export const pass: Passed = { kind: "pass" };

/** RFC 5321 section 4.2.1: the first digit says whether the client may come again. */
export function stopped(by: string, refused: Refusal): Stopped {
  return { kind: refused.code < 500 ? "defer" : "refuse", by, refusal: refused };
}

export function verdictOf(by: string, refused: Refusal | undefined): Verdict {
  return refused === undefined ? pass : stopped(by, refused);
}

export function isStopped(verdict: Verdict): verdict is Stopped {
  return verdict.kind === "defer" || verdict.kind === "refuse";
}

export function marksOf(verdict: Verdict): readonly MarkField[] {
  return verdict.kind === "mark" ? verdict.fields : [];
}

/** `first` stands before `second` in the order of the stages. */
export function combine(first: Passed, second: Passed): Passed;
export function combine(first: Verdict, second: Verdict): Verdict;
export function combine(first: Verdict, second: Verdict): Verdict {
  if (first.kind === "refuse") return first;
  if (second.kind === "refuse") return second;
  if (isStopped(first)) return first;
  if (isStopped(second) || first.kind === "pass") return second;
  return second.kind === "pass" ? first : { kind: "mark", fields: [...first.fields, ...second.fields] };
}

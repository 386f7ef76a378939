/**
 * What a check thinks of a message or a command, and what the verdicts of several checks come to. Pure.
 *
 * Where several stop it, a permanent refusal wins over a temporary one: a check that fails must not turn another's 5xx into a 4xx.
 * Among refusals of one sort, the client hears that of the first check. Where none stops it, the marks of all are kept, in order.
 */
import { isFieldName, type MarkField } from "../../mail/fields/mark.ts";
import type { Refusal } from "../../mail/reply.ts";

export type Verdict =
  | { readonly kind: "pass" }
  /** Passes, with fields that are put on top of its header. */
  | { readonly kind: "mark"; readonly fields: readonly MarkField[] }
  /** `by` is the check's name. Whether the client may come again is what the code of the refusal says. */
  | { readonly kind: "stop"; readonly by: string; readonly refusal: Refusal };

export type Passed = Exclude<Verdict, { readonly refusal: Refusal }>;
export type Stopped = Exclude<Verdict, Passed>;

export const pass: Passed = { kind: "pass" };

export function stopped(by: string, refused: Refusal): Stopped {
  return { kind: "stop", by, refusal: refused };
}

/** Throws where a mark has a name that no field can have: that is the check's own failure, and known while it is asked. */
export function validated(verdict: Verdict): Verdict {
  const wrong = marksOf(verdict).find(({ name }) => !isFieldName(name));
  if (wrong !== undefined) throw new Error(`a field cannot have the name ${JSON.stringify(wrong.name)}`);
  return verdict;
}

export function verdictOf(by: string, refused: Refusal | undefined): Verdict {
  return refused === undefined ? pass : stopped(by, refused);
}

export function isStopped(verdict: Verdict): verdict is Stopped {
  return verdict.kind === "stop";
}

/** RFC 5321 section 4.2.1: the first digit of the code says it. */
function isPermanent(verdict: Verdict): boolean {
  return isStopped(verdict) && verdict.refusal.code >= 500;
}

export function marksOf(verdict: Verdict): readonly MarkField[] {
  return verdict.kind === "mark" ? verdict.fields : [];
}

/** `first` stands before `second` in the order of the checks. */
export function combine(first: Passed, second: Passed): Passed;
export function combine(first: Verdict, second: Verdict): Verdict;
export function combine(first: Verdict, second: Verdict): Verdict {
  if (isStopped(first)) return isPermanent(second) && !isPermanent(first) ? second : first;
  if (isStopped(second) || first.kind === "pass") return second;
  return second.kind === "pass" ? first : { kind: "mark", fields: [...first.fields, ...second.fields] };
}

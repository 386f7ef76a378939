/**
 * The one grammar of durations: up to four numbers with a unit of h, m, s or ms (`1h30m`), as Gateway API's GEP-2257.
 * No signs, fractions or days: every text has one meaning, and CEL's duration() reads it the same way.
 */
import { z } from "zod";
import { spelled } from "./schema/pattern.ts";
import { ruled, type Rule } from "./schema/rule.ts";

const grammar = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
const wrongText = "must be a duration of h, m, s and ms, for example 1h30m";
const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds, or undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!grammar.test(text)) return undefined;
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(h|ms|m|s)/g)) {
    totalMs += Number(count) * (unitMs[unit ?? ""] ?? Number.NaN);
  }
  return totalMs;
}

/** A duration field that is at least `least` and at most `most`, both written in the grammar. */
export function duration(least: string, most: string) {
  const leastMs = parseDuration(least) ?? 0;
  const mostMs = parseDuration(most) ?? Number.POSITIVE_INFINITY;
  const withinBounds: Rule<string> = {
    cel: `duration(self) >= duration('${least}') && duration(self) <= duration('${most}')`,
    message: `must be between ${least} and ${most}`,
    holds: (text) => {
      const ms = parseDuration(text);
      return ms !== undefined && ms >= leastMs && ms <= mostMs;
    },
  };
  const text = spelled(z.string({ error: wrongText }).max(32), grammar, wrongText);
  return ruled(text, [withinBounds]);
}

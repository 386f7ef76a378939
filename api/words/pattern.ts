/**
 * Text that has to fit a pattern. Both sides say in words what to write instead: to an API server the pattern goes as a
 * CEL rule with the same message (structural.ts), because it would show nothing of a `pattern` but the regular expression.
 */
import type { z } from "zod";

/** `pattern` keeps to what RE2 knows, and `schema` has a maximum length: it bounds the cost of the rule. */
export function spelled(schema: z.ZodString, pattern: RegExp, wrong: string): z.ZodString {
  return schema.regex(pattern, { error: wrong, abort: true }).meta({ "x-mailboat-wrong": wrong });
}

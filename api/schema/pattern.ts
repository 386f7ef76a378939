/**
 * Text that has to fit a pattern. Both sides say in words what to write instead: to an API server the pattern goes as a
 * CEL rule with the same message (api/crd/structural.ts), because it would show nothing of a `pattern` but the regular expression.
 */
import type { z } from "zod";

/** `pattern` keeps to what RE2 knows, and `schema` has a maximum length: it bounds the cost of the rule. */
export function spelled(schema: z.ZodString, pattern: RegExp, wrong: string): z.ZodString {
  return schema.regex(pattern, { error: wrong, abort: true }).meta({ "x-mailboat-wrong": wrong });
}

/**
 * A name in DNS: compared octet by octet by whoever reads it, and so written in one way, which is lower case (RFC 4343 section 3
 * lets clients write any). Refused otherwise with the text to write. `pattern` knows no upper case.
 */
export function lowerCased(schema: z.ZodString, pattern: RegExp, wrong: string): z.ZodString {
  const error = ({ input }: { readonly input?: unknown }): string => {
    const lower = typeof input === "string" ? lowerCaseOf(input) : "";
    return pattern.test(lower) ? `must be in lower case: write ${lower}` : wrong;
  };
  return schema
    .regex(pattern, { error, abort: true })
    .meta({ "x-mailboat-wrong": wrong, "x-mailboat-lower-case": true });
}

/** Of an address the domain alone: the case of a local part is its owner's (RFC 5321 section 2.4). */
function lowerCaseOf(text: string): string {
  const at = text.lastIndexOf("@") + 1;
  return text.slice(0, at) + text.slice(at).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

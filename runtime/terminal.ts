/**
 * Text of others made fit for a terminal. What a next hop says, what a client calls itself and what the DNS answers reach whoever
 * runs a command or local mode; none of it may move the cursor, colour what is ours or set the title of the window. Pure.
 */

/** On one line: every control and formatting character, and every other end of a line, is a space. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ");
}

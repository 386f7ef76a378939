/** Colours of the terminal. What is painted is text of ours with words of others in it. Pure. */
import { printable } from "../../runtime/terminal.ts";
import { cut, widthOf } from "./width.ts";

export type Style = "good" | "warning" | "bad" | "quiet" | "strong";
export type Paint = (style: Style, text: string) => string;

/** Text on its way to a line; without a style it is as plain as the rest. */
export interface Piece {
  readonly text: string;
  readonly style?: Style;
}

/** ANSI colours, or none where nobody sees them. */
export function painter(hasColours: boolean): Paint {
  const codes = { good: 32, warning: 33, bad: 31, quiet: 2, strong: 1 } as const;
  return hasColours
    ? (style, text) => `\u001b[${codes[style]}m${printable(text)}\u001b[0m`
    : (_style, text) => printable(text);
}

/** One line of those pieces that say something, cut to the columns that there are. */
export function lineOf(pieces: readonly Piece[], paint: Paint, columns: number | undefined): string {
  let left = columns ?? Number.POSITIVE_INFINITY;
  const parts: string[] = [];
  for (const { text, style } of pieces) {
    const clean = printable(text);
    if (clean === "" || left <= 0) continue;
    const shown = left === Number.POSITIVE_INFINITY ? clean : cut(clean, left);
    left -= widthOf(shown) + 1;
    parts.push(style === undefined ? shown : paint(style, shown));
  }
  return parts.join(" ");
}

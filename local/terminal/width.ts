/** How many columns of a terminal a text takes, and what of it fits. For text that printable() has made fit for one. Pure. */

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
/** Unicode Standard Annex 11: wide characters. */
const wide =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u;
const plain = /^[\x20-\x7e]*$/;
const ellipsis = "…";

export function widthOf(text: string): number {
  if (plain.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += columnsOf(segment);
  return columns;
}

/** The text, or its beginning and an ellipsis. A limit below 1 leaves nothing. */
export function cut(text: string, columns: number): string {
  // What is longer in characters than any terminal is wide need not be taken apart to its end.
  const bounded = text.length > 10 * columns + 100 ? text.slice(0, Math.max(0, 10 * columns)) : text;
  if (bounded === text && widthOf(text) <= columns) return text;
  let kept = "";
  let left = columns - 1;
  for (const { segment } of graphemes.segment(bounded)) {
    left -= columnsOf(segment);
    if (left < 0) break;
    kept += segment;
  }
  return columns < 1 ? "" : kept + ellipsis;
}

function columnsOf(grapheme: string): number {
  if (/^\p{M}+$/u.test(grapheme)) return 0;
  return wide.test(grapheme) ? 2 : 1;
}

/**
 * Whether two texts of somebody else say the same. A server's words may hold what is another each time: the id of a request, a
 * time, a count, a resourceVersion. Whoever takes such a text for news looks, writes it into status, looks again, and
 * never rests. Pure.
 */

/** A word with a digit in it may be another each time; what a sentence is about is said in words without. */
const varying = /[^\s"'`,;()[\]{}<>=]*\d[^\s"'`,;()[\]{}<>=]*/g;

/** Which object a text is about stands before the first colon and counts whole: `Kubernetes refuses Service shop-1: ...`. */
export function gistOf(text: string): string {
  const end = text.indexOf(": ");
  return text.slice(0, Math.max(0, end)) + text.slice(Math.max(0, end)).replaceAll(varying, "#");
}

/**
 * SMTP replies as values: ours (refusals) and the other side's. A refusal has a public half that goes over the wire and
 * a private cause for the log.
 */

/** What the other side said. `enhanced` is absent when it sent none (RFC 2034). Text is one line per element. */
export interface Reply {
  readonly code: number;
  readonly enhanced?: string;
  readonly text: string;
}

/** What we say. `text` never holds credentials or configuration; `cause` never leaves the process's log. */
export interface Refusal {
  readonly kind: "refusal";
  readonly code: number;
  /** RFC 3463 `class.subject.detail`. */
  readonly enhanced: string;
  readonly text: string;
  readonly cause?: string;
}

/** Builds a refusal; the class digit of `enhanced` must be that of `code` (RFC 3463 section 2). */
export function refusal(code: number, enhanced: string, text: string): Refusal {
  return { kind: "refusal", code, enhanced, text };
}

/**
 * Characters of a reply that are kept. RFC 5321 section 4.5.3.1.5 allows lines of 512 octets; a next hop that talks without
 * end must not fill the spool, which keeps a reply with each recipient, nor the log.
 */
export const longestReply = 4_000;

/**
 * Parses the whole text of a reply: lines of `250-...` that end in one of `250 ...`, joined by LF or CRLF.
 * Returns undefined when the last line does not begin with a code (RFC 5321 section 4.2).
 *
 * The last line decides. RFC 5321 section 4.2.1 wants the same code on every line; where they differ, those before were
 * written before the next hop knew better.
 */
export function parseReply(raw: string): Reply | undefined {
  const lines = raw.includes("\n") ? raw.split(/\r?\n/).filter((line) => line !== "") : [raw];
  const last = lines.at(-1) ?? "";
  const code = /^([2-5]\d\d)(?: |$)/.exec(last)?.[1];
  if (code === undefined) return undefined;
  // RFC 2034 section 4: the class of the enhanced code agrees with the reply's; one that does not is noise.
  const deciding = lines.length === 1 ? lines : [last, ...lines].filter((line) => line.startsWith(code));
  const enhanced = deciding.map(enhancedOf).find((found) => found?.startsWith(code.charAt(0)));
  const texts = lines.map((line) => withoutCode(line, enhanced));
  return { code: Number(code), text: bounded(texts), ...(enhanced === undefined ? {} : { enhanced }) };
}

function enhancedOf(line: string): string | undefined {
  return /^([245]\.\d{1,3}\.\d{1,3})(?:\s|$)/.exec(line.slice(4))?.[1];
}

function withoutCode(line: string, enhanced: string | undefined): string {
  const text = line.slice(4);
  return enhanced !== undefined && text.startsWith(enhanced) ? text.slice(enhanced.length).trimStart() : text;
}

/** The beginning, and of a text that is too long the last line too: it is the one that decided. */
function bounded(lines: readonly string[]): string {
  const text = lines.join("\n");
  if (text.length <= longestReply) return text;
  const last = (lines.at(-1) ?? "").slice(0, longestReply / 2);
  return lines.length === 1 ? text.slice(0, longestReply) : `${text.slice(0, longestReply - last.length - 1)}\n${last}`;
}

/** One line for logs and notices: `550 5.1.1 no such user`. */
export function formatReply(reply: Reply): string {
  return [String(reply.code), reply.enhanced, reply.text.replaceAll("\n", " ")].filter((part) => part).join(" ");
}

/**
 * A local part, quoted or not, with its `@`. Begins only where a word does, and a quoted one is not looked for without end (RFC
 * 5321 section 4.5.3.1.1 allows 64 octets): text of others must not cost the square of its length.
 */
const localPart = /(?:"(?:[^"\\]|\\.){0,256}"|(?<![^\s<>"(),;:@])[^\s<>"(),;:]+)@(?=[^\s])/g;

/** Next hops like to repeat the address in their reply; logs and stories have domains only. */
export function withoutAddresses(text: string): string {
  return text.includes("@") ? text.replace(localPart, "*@") : text;
}

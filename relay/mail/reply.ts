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
 * Parses the text of a reply as nodemailer hands it over: lines of `250-...` or `250 ...` joined by LF.
 * Returns undefined when it does not start with a code (RFC 5321 section 4.2).
 */
export function parseReply(raw: string): Reply | undefined {
  const lines = raw
    .slice(0, longestReply)
    .split(/\r?\n/)
    .filter((line) => line !== "");
  const first = /^([2-5]\d\d)(?:[ -]|$)/.exec(lines[0] ?? "");
  if (first === null) return undefined;
  const code = Number(first[1]);
  const texts = lines.map((line) => line.slice(4));
  const enhanced = /^([245]\.\d{1,3}\.\d{1,3})(?:\s|$)/.exec(texts[0] ?? "")?.[1];
  // RFC 2034 section 4: the class of the enhanced code agrees with the reply's; one that does not is noise.
  const trusted = enhanced !== undefined && enhanced.startsWith(String(Math.floor(code / 100)));
  const text = texts
    .map((line) => (trusted && line.startsWith(enhanced) ? line.slice(enhanced.length).trimStart() : line))
    .join("\n");
  return { code, text, ...(trusted ? { enhanced } : {}) };
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

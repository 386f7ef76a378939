/**
 * The lines that local mode prints for what happened to a message. Pure: log lines of relays, and what is known of whose message
 * it was, in; text out. The first line is for people, the second for who looks further.
 */
import { printable } from "../../runtime/terminal.ts";
import { withoutAnswerId } from "../capture/record.ts";
import { type MailEvent, toneOf } from "./mailevent.ts";
import { recipientWords, type Seen, senderWords, subjectOf } from "./names.ts";
import { lineOf, type Piece, type Style } from "./paint.ts";
import type { Look } from "./terminal.ts";
import { cut, widthOf } from "./width.ts";

export { mailEvent, type MailEvent } from "./mailevent.ts";

export interface MailLine {
  /** Its `recipients` are all that share this outcome. */
  readonly event: MailEvent;
  readonly seen: Seen;
  /** Where captured files lie. */
  readonly directory: string;
}

/** Below the time, as the lines of a waterfall are. */
const indent = "         ";
/** Of an address or a subject, where nobody says how wide a line may be. */
const widest = 80;
/** So much of an address, and of a subject, is told on the narrowest terminal. */
const narrowest = 8;

/**
 * `12:00:01 delivered anna@example.net "Your receipt" 250 2.6.0 dkim=pass`, and below it `0mff... from shop@example.com ....eml (keys)`.
 */
export function mailLines(line: MailLine, look: Look): readonly string[] {
  const columns = look.columns();
  const first = lineOf(firstPieces(line, columns, look.clock(line.event.time)), look.paint, columns);
  const second = secondPieces(line);
  const [id] = second;
  // What no relay has taken is said in one line.
  if (id === undefined || id.text === "") return [first];
  return [first, indent + lineOf(fitted(second, columns), look.paint, undefined)];
}

function firstPieces({ event, seen }: MailLine, columns: number | undefined, time: string): readonly Piece[] {
  const captured = seen.captured;
  const [whoColumns, subjectColumns] =
    columns === undefined
      ? [widest, widest]
      : [Math.max(narrowest, Math.floor(columns * 0.35)), Math.max(narrowest, Math.floor(columns * 0.3))];
  const subject = subjectOf(seen);
  return [
    { text: time, style: "quiet" },
    { text: event.msg, style: styleOf(event) },
    { text: cut(printable(whoWords(event, seen)), whoColumns) },
    { text: subject === undefined ? "" : subjectWords(printable(subject), subjectColumns), style: "strong" },
    { text: [event.code, event.enhanced].filter((part) => part !== undefined && part !== "").join(" ") },
    { text: againWords(event) },
    captured === undefined
      ? { text: "" }
      : { text: `dkim=${captured.dkim}`, style: captured.dkim === "pass" ? "good" : "bad" },
    { text: event.msg === "refused" ? replyWords(event) : "" },
  ];
}

/** What is safe and on its way stands back. */
function styleOf(event: MailEvent): Style {
  const tone = toneOf(event);
  return tone === "plain" ? "quiet" : tone;
}

function whoWords(event: MailEvent, seen: Seen): string {
  switch (event.msg) {
    case "refused":
      return `on ${event.listener ?? "?"}${event.domain === undefined ? "" : ` from ${event.domain}`}`;
    case "bounced":
    case "notified":
      return `to ${senderWords(seen, event)}`;
    case "accepted":
    case "delivered":
    case "captured":
    case "deferred":
    case "failed":
      return recipientWords(seen, event);
  }
}

function subjectWords(subject: string, columns: number): string {
  return subject.trim() === "" ? "(no subject)" : `"${cut(subject.trim(), columns)}"`;
}

/** `again in 4 s`: of a deferral, which says when. */
function againWords({ dueAt, time }: MailEvent): string {
  const ms = dueAt === undefined ? Number.NaN : Date.parse(dueAt) - Date.parse(time);
  return Number.isNaN(ms) ? "" : `again in ${Math.max(0, Math.round(ms / 1000))} s`;
}

function secondPieces({ event, seen, directory }: MailLine): readonly Piece[] {
  const { captured } = seen;
  const sender = senderWords(seen, event);
  const isAboutNotice = event.msg === "bounced" || event.msg === "notified";
  return [
    { text: event.spoolId ?? "", style: "quiet" },
    { text: sender === "" || isAboutNotice ? "" : `from ${sender}` },
    { text: noticeWords(event) },
    captured === undefined ? { text: placeWords(event) } : { text: `${directory}/${captured.file}`, style: "quiet" },
    captured === undefined ? { text: "" } : { text: keyWords(captured.signatures) },
  ];
}

/** Who answered, and in what words when it was no yes. */
function placeWords(event: MailEvent): string {
  if (event.msg === "bounced" || event.msg === "notified") return "";
  const by = event.nextHop ?? "";
  if (event.msg === "delivered") return by === "" ? "" : `by ${by}`;
  const words = replyWords(event);
  return by === "" ? words : `by ${by}: ${words}`;
}

function replyWords({ reply = "", enhanced }: MailEvent): string {
  const words = printable(withoutAnswerId(reply)).replaceAll(/\s+/g, " ").trim();
  return enhanced !== undefined && words.startsWith(`${enhanced} `) ? words.slice(enhanced.length + 1) : words;
}

/** `notice of a delay 0mg…`: it is a message of its own. */
function noticeWords({ msg, notice, noticeId }: MailEvent): string {
  if (noticeId === undefined) return "";
  return msg === "notified" ? `notice (${notice ?? "?"}) ${noticeId}` : `notice ${noticeId}`;
}

function keyWords(signatures: readonly { readonly selector: string; readonly algorithm: string }[]): string {
  const names = signatures.map(({ selector, algorithm }) => `${selector}:${algorithm.split("-")[0] ?? ""}`);
  return names.length === 0 ? "" : `(${names.join(", ")})`;
}

/** Whole pieces as long as there is room, the last of them cut when it is words; a path that is cut leads nowhere. */
function fitted(pieces: readonly Piece[], columns: number | undefined): readonly Piece[] {
  if (columns === undefined) return pieces;
  let left = columns - indent.length;
  return pieces.flatMap((piece) => {
    const text = printable(piece.text);
    if (text === "") return [];
    const isWhole = piece.style === "quiet";
    const shown = isWhole ? text : cut(text, left);
    left -= widthOf(shown) + 1;
    return shown === "" ? [] : [{ ...piece, text: shown }];
  });
}

/** Lines with the same key are one line with a count: recipients of one message that shared a transaction. */
export function lineKey(event: MailEvent): string {
  return [event.msg, event.spoolId, event.code, event.reply, event.nextHop, event.attempt].join("\u0000");
}

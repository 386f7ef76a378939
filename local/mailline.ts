/**
 * The line that local mode prints for what happened to a message. Pure: log lines of relays and records of the capture
 * exchanger in, text out.
 */
import { z } from "zod";
import { printable } from "../runtime/terminal.ts";
import { type CapturedMessage, withoutAnswerId } from "./capture/record.ts";

/** The fields of a relay's log line that say something about a message. */
export const mailEvent = z.object({
  msg: z.enum(["accepted", "delivered", "deferred", "failed", "bounced", "notified", "refused"]),
  time: z.string(),
  spoolId: z.string().optional(),
  domain: z.string().optional(),
  recipientDomain: z.string().optional(),
  code: z.number().optional(),
  enhanced: z.string().optional(),
  reply: z.string().optional(),
  attempt: z.number().optional(),
  nextHop: z.string().optional(),
  listener: z.string().optional(),
  sizeBytes: z.number().optional(),
  /** How many recipients of the message the line speaks of. */
  recipients: z.number().optional(),
  /** When the next attempt is due. */
  dueAt: z.string().optional(),
  /** Spool id of the notice that the sender gets. */
  noticeId: z.string().optional(),
  notice: z.string().optional(),
});

export type MailEvent = Readonly<z.infer<typeof mailEvent>>;

export type Paint = (style: "good" | "warning" | "bad" | "quiet" | "strong", text: string) => string;

const styles = {
  accepted: "quiet",
  delivered: "good",
  deferred: "warning",
  failed: "bad",
  bounced: "bad",
  notified: "warning",
  refused: "bad",
} as const;

export interface MailLine {
  readonly event: MailEvent;
  /** The message as the capture exchanger kept it, when it went there. */
  readonly captured: CapturedMessage | undefined;
  /** How many recipients share this outcome. */
  readonly recipients: number;
  /** Where captured files lie. */
  readonly directory: string;
}

/** `12:00:01 0mff... example.com -> delivered 250 capture.mailboat.localhost dkim=pass .mailboat/captured/....eml` */
export function mailLine(line: MailLine, paint: Paint): string {
  const { event, captured } = line;
  const parts = [
    paint("quiet", event.time.slice(11, 19)),
    printable(event.spoolId ?? "-".padEnd(21)),
    printable(`${event.domain ?? "?"} ->`),
    paint(styles[event.msg], event.msg),
    printable([event.code, event.enhanced].filter((part) => part !== undefined && part !== "").join(" ")),
    printable(placeOf(line)),
    line.recipients > 1 ? `(${line.recipients} recipients)` : "",
    printable(noticeWords(event)),
  ];
  if (captured !== undefined) {
    parts.push(paint(captured.dkim === "pass" ? "good" : "bad", `dkim=${captured.dkim}`), printable(signers(captured)));
    parts.push(paint("quiet", `${line.directory}/${captured.file}`));
  } else if (event.msg !== "delivered" && event.reply !== undefined) {
    parts.push(printable(withoutAnswerId(event.reply).replaceAll(/\s+/g, " ")));
  }
  return parts.filter((part) => part !== "").join(" ");
}

/** `of a delay, as 0mg…`: the notice is a message of its own. */
function noticeWords({ msg, notice, noticeId }: MailEvent): string {
  if (noticeId === undefined) return "";
  return msg === "notified" ? `of ${notice ?? "it"} by ${noticeId}` : `to the sender by ${noticeId}`;
}

function placeOf({ event, captured }: MailLine): string {
  if (event.msg === "refused") return event.listener ?? "";
  return captured === undefined ? (event.nextHop ?? event.recipientDomain ?? "") : "capture";
}

function signers(captured: CapturedMessage): string {
  const names = captured.signatures.map(
    (signature) => `${signature.selector}:${signature.algorithm.split("-")[0] ?? ""}`,
  );
  return names.length === 0 ? "" : `(${names.join(", ")})`;
}

/** Lines with the same key are one line with a count: recipients of one message that shared a transaction. */
export function lineKey(event: MailEvent): string {
  return [event.msg, event.spoolId, event.code, event.reply, event.nextHop, event.attempt].join("\u0000");
}

/** ANSI colours, or none where nobody sees them. What is painted is text of ours with words of others in it. */
export function painter(isTerminal: boolean): Paint {
  const codes = { good: 32, warning: 33, bad: 31, quiet: 2, strong: 1 } as const;
  return isTerminal
    ? (style, text) => `\u001b[${codes[style]}m${printable(text)}\u001b[0m`
    : (_style, text) => printable(text);
}

/** What a relay's log says of a message, checked here because another program wrote it. */
import { z } from "zod";
import type { Tone } from "../trace/shape.ts";

/** The fields of a relay's log line that say something about a message. */
export const mailEvent = z.object({
  msg: z.enum(["accepted", "delivered", "captured", "deferred", "failed", "bounced", "notified", "refused"]),
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

/** What it means for the mail: page and terminal colour it alike. */
const tones: Readonly<Record<MailEvent["msg"], Tone>> = {
  accepted: "plain",
  delivered: "good",
  captured: "good",
  deferred: "warning",
  failed: "bad",
  bounced: "bad",
  notified: "warning",
  refused: "bad",
};

export function toneOf({ msg, code }: MailEvent): Tone {
  // Who was refused with a 4xx tries again (RFC 5321 section 4.2.1).
  return msg === "refused" && code !== undefined && code < 500 ? "warning" : tones[msg];
}

/**
 * From what became of recipients to the message that tells the sender: the facts of relay/mail/notice in, a new spool
 * message out.
 *
 * It is signed like any message of the domain (mustSign is kept), and committed with the outcomes that it reports. Pure.
 */
import { octetsOf, type Chance } from "../../runtime/clock.ts";
import { staying, type DeliveryMode } from "../config/mode.ts";
import { RelaxedBodyHash } from "../mail/bodyhash.ts";
import type { NoticeAction } from "../mail/notice/due.ts";
import type { OriginalMessage, ReportedRecipient } from "../mail/notice/facts.ts";
import { hasEightBit } from "../mail/notice/original.ts";
import { writeReport } from "../mail/notice/report.ts";
import { spoolIdOf, type SpoolId } from "../spool/message/id.ts";
import type { Message, NewMessage } from "../spool/message/message.ts";

export interface NoticeOrder {
  readonly message: Message;
  readonly action: NoticeAction;
  /** At least one. */
  readonly recipients: readonly ReportedRecipient[];
  readonly hostname: string;
  /** The sender, or where its domain wants its notices. */
  readonly to: string;
  /** Of the moment: a notice obeys it like any mail. */
  readonly mode: DeliveryMode;
  /** When the message is given up, ms since the epoch. */
  readonly retryUntil: number;
  readonly now: number;
  readonly chance: Chance;
  /** The trace context that the notice of this id is kept with; absent when nothing is traced. */
  readonly traceOf?: ((id: SpoolId) => string) | undefined;
}

/**
 * Larger originals come back as their header, whatever RET asks: a notice holds what it returns in memory, and bodies beyond this
 * are in files of the spool's (RFC 3464 section 2 leaves the bound to us).
 */
const returnedBodyOctets = 256 * 1024;

export function writeNotice(order: NoticeOrder): NewMessage {
  const { message, now, chance, hostname, to, mode, traceOf } = order;
  const id = spoolIdOf(now, octetsOf(chance, 6));
  const notice = writeReport({
    action: order.action,
    hostname,
    from: `postmaster@${message.domain}`,
    to,
    id,
    originalId: message.id,
    now,
    acceptedAt: message.acceptedAt,
    retryUntil: order.retryUntil,
    ...(message.envid === undefined ? {} : { envid: message.envid }),
    recipients: order.recipients,
    original: originalOf(order),
    boundary: `=_${id}_${octetsOf(chance, 6).toString("hex")}`,
  });
  const bodyHash = new RelaxedBodyHash();
  bodyHash.update(notice.body);
  return {
    message: {
      id,
      acceptedAt: now,
      // RFC 3461 section 6.1: a notice is from nobody, and nobody is told what becomes of it.
      sender: "",
      smtpUtf8: notice.smtpUtf8,
      eightBit: notice.eightBit,
      domain: message.domain,
      mustSign: message.mustSign,
      header: notice.header,
      body: { kind: "inline", bytes: notice.body },
      bodyHash: bodyHash.digest(),
      ...(traceOf === undefined ? {} : { traceparent: traceOf(id) }),
    },
    recipients: [{ index: 0, address: to, notify: ["NEVER"], attempts: 0, ...staying(mode, to) }],
    dueAt: now,
  };
}

/** RFC 3461 section 4.3: RET is about failures; other notices return the header alone, and so do failures without RET=FULL. */
function originalOf({ message, action, recipients }: NoticeOrder): OriginalMessage {
  const { header, body, smtpUtf8 } = message;
  const original = { header, smtpUtf8, eightBit: message.eightBit || hasEightBit(header) };
  if (message.ret !== "FULL" || action !== "failed") return original;
  if (body.kind === "file" || body.bytes.length > returnedBodyOctets) return { ...original, withheld: "too large" };
  // A way that could not carry the 8-bit message cannot carry it back either.
  const sevenBitWay = recipients.some(({ cause, remoteHost }) => cause === "5.6.3" && remoteHost === undefined);
  if (sevenBitWay && original.eightBit) return { ...original, withheld: "unencodable" };
  return { ...original, body: body.bytes };
}

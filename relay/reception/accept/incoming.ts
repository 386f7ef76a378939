/**
 * The state of one DATA: gathering the header, then handing on the body; or refused, and then only swallowing.
 *
 * The header is held in memory and judged as soon as it is complete, which may take a while; the body runs through the scan to the
 * hash, to whoever looks at content, and to the spool's writer, the same chunks for all, one at a time. Only a body with lines
 * that the next host may break is written a second time. All verdicts are in before the stored header is composed.
 */
import { after, isLater, type Answer } from "../../../runtime/answer.ts";
import { Octets } from "../../../runtime/octets.ts";
import type { ReceivingSpool } from "../../spool/start.ts";
import type { BodyWriter } from "../../spool/verbs.ts";
import type { Body, NewMessage, Recipient } from "../../spool/message/message.ts";
import type { SpoolId } from "../../spool/message/id.ts";
import type { QuotaState } from "../../limits/quota.ts";
import { RelaxedBodyHash } from "../../mail/bodyhash.ts";
import { ContentScan, type ContentFault } from "../../mail/content.ts";
import type { EnvelopeRecipient } from "../../mail/envelope.ts";
import type { MarkField } from "../../mail/fields/mark.ts";
import { addedMessageId, planHeader, renderOutgoing, type HeaderPlan } from "../../mail/fields/outgoing.ts";
import { parseHeader, type Header, type HeaderFault } from "../../mail/header.ts";
import { headerOctets } from "../../mail/limit.ts";
import type { ReceivedClauses } from "../../mail/received.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import { traceFieldNames } from "../../mail/tracefields.ts";
import type { Admission } from "../admit.ts";
import type { ContentTaps } from "../checks/contenttaps.ts";
import type { Tap } from "../checks/check.ts";
import { combine, isStopped, marksOf, pass, type Passed, type Stopped } from "../checks/verdict.ts";
import type { HeaderHold, HeaderRoom } from "./headerroom.ts";
import { recodeBody, type Recoded } from "./recode.ts";
import type { MailCommand } from "../../smtp/server/command.ts";

export interface IncomingOptions {
  readonly id: SpoolId;
  /** Another id, for a message whose body is written twice: then it is the message's. */
  readonly anotherId: () => SpoolId;
  readonly mail: MailCommand;
  readonly recipients: readonly EnvelopeRecipient[];
  readonly sizeLimitBytes: number;
  readonly headerRoom: HeaderRoom;
  /** Everything of the Received field but its time and id. */
  readonly received: Omit<ReceivedClauses, "at" | "id">;
  readonly admit: (header: Header) => Answer<Admitted | Refusal>;
  readonly quota?: MessageQuota;
  /** Told of the verdict that the message is not kept for; what the client hears. */
  readonly stopped: (verdict: Stopped) => Refusal;
  /** Asked when the message is complete: whom it is to stay for. */
  readonly staying: (address: string) => Pick<Recipient, "stays">;
  readonly now: () => number;
  /** Told when the message is complete and admitted; returns the trace context that is kept with it. */
  readonly spooling?: (id: SpoolId, domain: string) => string | undefined;
}

/** What its sender may send in an hour, as far as it concerns one message. */
export interface MessageQuota {
  /** Asked when the message is complete: what is kept with it, or that there is no room for so much. */
  charge(sizeBytes: number): readonly QuotaState[] | Refusal;
  /** Told once: all of it is used up, or free again. */
  ended(isKept: boolean): void;
}

/** A message whose header may pass. */
export interface Admitted {
  readonly kind: "admitted";
  readonly admission: Admission;
  /** Of all that were asked so far. */
  readonly verdict: Passed;
  /** Called once, before the body; undefined when nobody looks at it. */
  readonly tap: () => ContentTaps | undefined;
}

/**
 * Fields that are the sender's own business or the last hop's, and never leave as they came (RFC 5322 section 3.6.3, RFC
 * 5321 section 4.4).
 */
const droppedFields: ReadonlySet<string> = new Set(["bcc", "resent-bcc", "return-path", ...traceFieldNames]);

const tooManyHeaders = refusal(451, "4.3.2", "Too many long headers are being received, try again later");
const givenUp = refusal(451, "4.3.0", "The message was not kept, try again later");

function contentRefusal(fault: ContentFault | HeaderFault): Refusal {
  return refusal(550, "5.6.0", `Line ${fault.line} of the message: ${fault.reason}`);
}

/** A header that may pass, and what becomes of it. */
interface Judged extends Pick<Admitted, "admission" | "verdict"> {
  readonly header: Header;
  readonly plan: HeaderPlan;
  readonly taps: ContentTaps | undefined;
}

/** A body that the spool holds, and how the header speaks of it where that changed. */
type Stored = Pick<Recoded, "id" | "body" | "bodyHash" | "eightBit"> & Partial<Pick<Recoded, "encoding">>;

export class IncomingMessage {
  readonly #spool: ReceivingSpool;
  readonly #options: IncomingOptions;
  readonly #scan = new ContentScan();
  readonly #hash = new RelaxedBodyHash();
  /** Who sees the body beside the spool. */
  readonly #taps: Tap[] = [{ write: (chunk) => this.#hash.update(chunk) }];
  readonly #headerOctets = new Octets();
  readonly #headerHold: HeaderHold;
  #judged: Judged | undefined;
  #writer: BodyWriter | undefined;
  #refusal: Refusal | undefined;
  #sizeBytes = 0;

  constructor(spool: ReceivingSpool, options: IncomingOptions) {
    this.#spool = spool;
    this.#options = options;
    this.#headerHold = options.headerRoom.enter();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  messageId(id: SpoolId): string {
    return this.#judged?.plan.messageId ?? addedMessageId({ id, by: this.#options.received.by });
  }

  /** What was held is given up at once: the client may go on sending for long. */
  refuse(refused: Refusal): void {
    this.#refusal ??= refused;
    this.#headerOctets.clear();
    this.#headerHold.leave();
    this.#judged?.taps?.giveUp();
  }

  /** The message is kept, or it is not: nothing of its header is in memory here any more. */
  ended(): void {
    this.#headerHold.leave();
  }

  /** Takes the next octets; a promise asks for patience until it settles. */
  take(chunk: Buffer): Answer<void> {
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes > this.#options.sizeLimitBytes) {
      this.refuse(oversize(this.#options.sizeLimitBytes));
    }
    if (this.#refusal !== undefined) return undefined;
    const fault = this.#scan.feed(chunk);
    if (fault !== undefined) return this.refuse(contentRefusal(fault));
    return this.#judged === undefined ? this.#gatherHeader(chunk) : this.#handOn(chunk);
  }

  /** Keeps what belongs to the header; what follows it waits until the header was judged. */
  #gatherHeader(chunk: Buffer): Answer<void> {
    const { bodyOffset, sizeBytes } = this.#scan;
    const cut = bodyOffset === -1 ? chunk.length : bodyOffset - (sizeBytes - chunk.length);
    this.#headerOctets.push(chunk.subarray(0, cut));
    if (this.#headerOctets.length > headerOctets) {
      return this.refuse(refusal(550, "5.6.0", `The header is longer than ${headerOctets} octets`));
    }
    if (!this.#headerHold.grow(this.#headerOctets.length)) return this.refuse(tooManyHeaders);
    if (bodyOffset === -1) return undefined;
    const bytes = this.#headerOctets.take();
    return after(this.#judge(bytes.subarray(0, bodyOffset - 2)), () => this.#handOn(chunk.subarray(cut)));
  }

  #judge(bytes: Buffer): Answer<void> {
    const header = parseHeader(bytes);
    if (header.kind === "fault") return this.refuse(contentRefusal(header));
    return after(this.#options.admit(header), (admitted) => this.#begin(header, admitted));
  }

  #begin(header: Header, admitted: Admitted | Refusal): void {
    // The client may have gone while the header was judged.
    if (this.#refusal !== undefined) return;
    if (admitted.kind === "refusal") return this.refuse(admitted);
    const plan = planHeader(header, droppedFields);
    if (plan.kind === "fault") return this.refuse(refusal(550, "5.6.0", plan.reason));
    const { admission, verdict } = admitted;
    const taps = admitted.tap();
    if (taps !== undefined) this.#taps.push(taps);
    this.#judged = { header, plan, admission, verdict, taps };
    this.#writer = this.#spool.begin(this.#options.id);
  }

  /** The same octets for everyone, at the pace of the slowest. */
  #handOn(chunk: Buffer): Answer<void> {
    const writer = this.#writer;
    if (writer === undefined || chunk.length === 0) return undefined;
    const seen = this.#taps.reduce<Answer<void>>((all, tap) => {
      const one = tap.write(chunk);
      return after(all, () => one);
    }, undefined);
    const written = writer.write(chunk);
    return isLater(seen) ? Promise.all([seen, written]).then(() => undefined) : written;
  }

  /** Everything the spool wants to know, with the body safely in its hands. */
  async finish(): Promise<NewMessage | Refusal> {
    const fault = this.#refusal === undefined ? this.#scan.end() : undefined;
    if (fault !== undefined) this.refuse(contentRefusal(fault));
    // A message without an empty line is all header (RFC 5322 section 3.5: the body is optional).
    if (this.#refusal === undefined && this.#judged === undefined) await this.#judge(this.#headerOctets.take());
    const writer = this.#writer;
    const judged = this.#judged;
    if (this.#refusal !== undefined) return this.#refusal;
    if (judged === undefined || writer === undefined) throw new Error("a message without header was not refused");
    const verdict = combine(judged.verdict, judged.taps === undefined ? pass : await judged.taps.verdict());
    if (isStopped(verdict)) return this.#options.stopped(verdict);
    const body = await writer.finish();
    const asSent = { id: this.#options.id, body, bodyHash: this.#hash.digest(), eightBit: this.#scan.eightBit };
    const stored = (await this.#recoded(judged, body)) ?? asSent;
    const traceparent = this.#options.spooling?.(stored.id, judged.admission.domain);
    const message = this.#compose(judged, stored, marksOf(verdict));
    return traceparent === undefined ? message : { ...message, message: { ...message.message, traceparent } };
  }

  /** The body as it leaves where it cannot leave as it came. */
  async #recoded({ header }: Judged, body: Body): Promise<Recoded | undefined> {
    if (!this.#scan.hasLongBodyLine) return undefined;
    const { id, anotherId } = this.#options;
    const recoded = await recodeBody(this.#spool, { header, id, body, anotherId });
    if (recoded === undefined) return undefined;
    const asSent = this.#writer;
    this.#writer = recoded.writer;
    await asSent?.abort();
    return recoded;
  }

  #compose({ header, plan, admission }: Judged, stored: Stored, marks: readonly MarkField[]): NewMessage {
    const { mail, recipients, staying } = this.#options;
    const { id, body, bodyHash, eightBit, encoding } = stored;
    const acceptedAt = this.#options.now();
    const received = { ...this.#options.received, id, at: acceptedAt };
    const message: NewMessage["message"] = {
      id,
      acceptedAt,
      sender: mail.sender?.address ?? "",
      smtpUtf8: mail.smtpUtf8,
      eightBit,
      ...(mail.ret === undefined ? {} : { ret: mail.ret }),
      ...(mail.envid === undefined ? {} : { envid: mail.envid }),
      domain: admission.domain,
      mustSign: admission.mustSign,
      header: renderOutgoing({ header, plan, marks, received, ...(encoding === undefined ? {} : { encoding }) }),
      body,
      bodyHash,
    };
    return {
      message,
      recipients: recipients.map((each, index) => ({ ...each, index, attempts: 0, ...staying(each.address) })),
      dueAt: acceptedAt,
    };
  }

  /** Safe at any time; nothing begins any more. A spool that cannot even throw away says so in its own log. */
  async abort(): Promise<void> {
    this.refuse(givenUp);
    await this.#writer?.abort().catch(() => undefined);
  }
}

export function oversize(limitBytes: number): Refusal {
  return refusal(552, "5.3.4", `The message is larger than the limit of ${limitBytes} octets`);
}

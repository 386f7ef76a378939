/**
 * DATA: a stream of octets becomes a message in the spool, or a refusal and nothing.
 *
 * The header is held in memory and judged as soon as it is complete; the body runs through the scan and the hash into the
 * spool's writer, one chunk at a time. Only a body with lines that the next host may break is written a second time. The
 * client gets its 250 only from the line behind the commit. Whatever goes wrong, the writer is aborted, the rest of the
 * stream is read and thrown away, and the spool holds nothing of it.
 */
import type { Readable } from "node:stream";
import type { ReceivingSpool } from "../../spool/start.ts";
import { SpoolFullError, type BodyWriter } from "../../spool/verbs.ts";
import type { Body, NewMessage } from "../../spool/message/message.ts";
import type { SpoolId } from "../../spool/message/id.ts";
import { RelaxedBodyHash } from "../../mail/bodyhash.ts";
import { ContentScan, type ContentFault } from "../../mail/content.ts";
import type { EnvelopeRecipient } from "../../mail/envelope.ts";
import { addedMessageId, planHeader, renderOutgoing, type HeaderPlan } from "../../mail/fields/outgoing.ts";
import { parseHeader, type Header, type HeaderFault } from "../../mail/header.ts";
import { headerOctets } from "../../mail/limit.ts";
import type { Reception } from "../../mail/received.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import { traceFieldNames } from "../../mail/tracefields.ts";
import type { Admission } from "../admit.ts";
import type { HeaderPlace, HeaderRoom } from "./headerroom.ts";
import { recodeBody, type Recoded } from "./recode.ts";
import type { MailCommand } from "../../smtp/server/command.ts";

export interface Delivery {
  readonly id: SpoolId;
  /** Another id, for a message whose body is written twice: then it is the message's. */
  readonly anotherId: () => SpoolId;
  readonly mail: MailCommand;
  readonly recipients: readonly EnvelopeRecipient[];
  readonly sizeLimitBytes: number;
  readonly headerRoom: HeaderRoom;
  /** Everything of the Received field but its time and id. */
  readonly reception: Omit<Reception, "at" | "id">;
  readonly admit: (header: Header) => Admission | Refusal;
  readonly now: () => number;
  /** Told when the message is complete and admitted; returns the trace context that is kept with it. */
  readonly spooling?: (id: SpoolId, domain: string) => string | undefined;
}

export interface Accepted {
  readonly kind: "accepted";
  readonly id: SpoolId;
  readonly domain: string;
  readonly sizeBytes: number;
  /** ms since the epoch. */
  readonly acceptedAt: number;
  /** As the field says it, or as it was added. */
  readonly messageId: string;
}

/**
 * Fields that are the sender's own business or the last hop's, and never leave as they came (RFC 5322 section 3.6.3, RFC
 * 5321 section 4.4).
 */
const droppedFields: ReadonlySet<string> = new Set(["bcc", "resent-bcc", "return-path", ...traceFieldNames]);
const noSpace = new Set(["ENOSPC", "EDQUOT"]);

const tooManyHeaders = refusal(451, "4.3.2", "Too many long headers are being received, try again later");
export const insufficientStorage = refusal(452, "4.3.1", "Insufficient system storage, try again later");

/** Resolves when the stream has ended or died; undefined means that the client went away and hears nothing. */
export async function acceptMessage(
  stream: Readable,
  spool: ReceivingSpool,
  delivery: Delivery,
): Promise<Accepted | Refusal | undefined> {
  const intake = new Intake(spool, delivery);
  try {
    const whole = await consume(stream, intake);
    if (!whole) {
      await intake.abort();
      return undefined;
    }
    const message = await intake.finish();
    if ("kind" in message) {
      await intake.abort();
      return message;
    }
    await spool.commit(message);
    const { id, domain, acceptedAt } = message.message;
    return { kind: "accepted", id, domain, sizeBytes: intake.sizeBytes, acceptedAt, messageId: intake.messageId(id) };
  } catch (error) {
    await intake.abort();
    return storageRefusal(error);
  } finally {
    intake.ended();
  }
}

/** True at the end of the data, false when the connection broke before. Reads on, whatever the intake thinks of it. */
function consume(stream: Readable, intake: Intake): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const failed = (error: unknown): void => intake.refuse(storageRefusal(error));
  stream.on("data", (chunk: Buffer) => {
    const written = takeSafely(intake, chunk, failed);
    if (written === undefined) return;
    // The disk sets the pace: while it is busy the client's window fills instead of our memory.
    stream.pause();
    written.catch(failed).finally(() => stream.resume());
  });
  stream.once("end", () => resolve(true));
  stream.once("error", () => resolve(false));
  stream.once("close", () => resolve(false));
  return promise;
}

/** What is thrown inside a stream's event would end the process; it is this message's failure only. */
function takeSafely(intake: Intake, chunk: Buffer, failed: (error: unknown) => void): Promise<void> | undefined {
  try {
    return intake.take(chunk);
  } catch (error) {
    failed(error);
    return undefined;
  }
}

function storageRefusal(error: unknown): Refusal {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (error instanceof SpoolFullError || noSpace.has(code)) return insufficientStorage;
  return { ...refusal(451, "4.3.0", "The message could not be stored, try again later"), cause: String(error) };
}

function contentRefusal(fault: ContentFault | HeaderFault): Refusal {
  return refusal(550, "5.6.0", `Line ${fault.line} of the message: ${fault.reason}`);
}

/** A header that may pass, and what becomes of it. */
interface Judged {
  readonly header: Header;
  readonly plan: HeaderPlan;
  readonly admission: Admission;
}

/** A body that the spool holds, and how the header speaks of it where that changed. */
type Stored = Pick<Recoded, "id" | "body" | "bodyHash" | "eightBit"> & Partial<Pick<Recoded, "encoding">>;

/** The state of one DATA: gathering the header, then writing the body; or refused, and then only swallowing. */
class Intake {
  readonly #spool: ReceivingSpool;
  readonly #delivery: Delivery;
  readonly #scan = new ContentScan();
  readonly #hash = new RelaxedBodyHash();
  #headerChunks: Buffer[] = [];
  #headerBytes = 0;
  readonly #headerPlace: HeaderPlace;
  #judged: Judged | undefined;
  #writer: BodyWriter | undefined;
  #refusal: Refusal | undefined;
  #sizeBytes = 0;

  constructor(spool: ReceivingSpool, delivery: Delivery) {
    this.#spool = spool;
    this.#delivery = delivery;
    this.#headerPlace = delivery.headerRoom.enter();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  messageId(id: SpoolId): string {
    return this.#judged?.plan.messageId ?? addedMessageId({ id, by: this.#delivery.reception.by });
  }

  /** What was held is given up at once: the client may go on sending for long. */
  refuse(refused: Refusal): void {
    this.#refusal ??= refused;
    this.#headerChunks = [];
    this.#headerPlace.leave();
  }

  /** The message is kept, or it is not: nothing of its header is in memory here any more. */
  ended(): void {
    this.#headerPlace.leave();
  }

  /** Takes the next octets; a promise asks for patience until it settles. */
  take(chunk: Buffer): Promise<void> | undefined {
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes > this.#delivery.sizeLimitBytes) {
      this.refuse(oversize(this.#delivery.sizeLimitBytes));
    }
    if (this.#refusal !== undefined) return undefined;
    const fault = this.#scan.feed(chunk);
    if (fault !== undefined) {
      this.refuse(contentRefusal(fault));
      return undefined;
    }
    const body = this.#judged === undefined ? this.#gatherHeader(chunk) : chunk;
    const writer = this.#writer;
    if (writer === undefined || body.length === 0) return undefined;
    this.#hash.update(body);
    return writer.write(body);
  }

  /** Keeps what belongs to the header and returns what follows it. */
  #gatherHeader(chunk: Buffer): Buffer {
    const { bodyOffset, sizeBytes } = this.#scan;
    const cut = bodyOffset === -1 ? chunk.length : bodyOffset - (sizeBytes - chunk.length);
    this.#headerChunks.push(chunk.subarray(0, cut));
    this.#headerBytes += cut;
    if (this.#headerBytes > headerOctets) {
      this.refuse(refusal(550, "5.6.0", `The header is longer than ${headerOctets} octets`));
    } else if (!this.#headerPlace.grow(this.#headerBytes)) {
      this.refuse(tooManyHeaders);
    } else if (bodyOffset !== -1) {
      const bytes = Buffer.concat(this.#headerChunks);
      this.#judge(bytes.subarray(0, bodyOffset - 2));
    }
    return chunk.subarray(cut);
  }

  #judge(bytes: Buffer): void {
    this.#headerChunks = [];
    const header = parseHeader(bytes);
    if (header.kind === "fault") return this.refuse(contentRefusal(header));
    const admission = this.#delivery.admit(header);
    if (admission.kind === "refusal") return this.refuse(admission);
    const plan = planHeader(header, droppedFields);
    if (plan.kind === "fault") return this.refuse(refusal(550, "5.6.0", plan.reason));
    this.#judged = { header, plan, admission };
    this.#writer = this.#spool.begin(this.#delivery.id);
  }

  /** Everything the spool wants to know, with the body safely in its hands. */
  async finish(): Promise<NewMessage | Refusal> {
    const fault = this.#refusal === undefined ? this.#scan.end() : undefined;
    if (fault !== undefined) this.refuse(contentRefusal(fault));
    // A message without an empty line is all header (RFC 5322 section 3.5: the body is optional).
    if (this.#refusal === undefined && this.#judged === undefined) this.#judge(Buffer.concat(this.#headerChunks));
    const writer = this.#writer;
    const judged = this.#judged;
    if (this.#refusal !== undefined) return this.#refusal;
    if (judged === undefined || writer === undefined) throw new Error("a message without header was not refused");
    const body = await writer.finish();
    const asSent = { id: this.#delivery.id, body, bodyHash: this.#hash.digest(), eightBit: this.#scan.eightBit };
    const stored = (await this.#recoded(judged, body)) ?? asSent;
    const traceparent = this.#delivery.spooling?.(stored.id, judged.admission.domain);
    const message = this.#compose(judged, stored);
    return traceparent === undefined ? message : { ...message, message: { ...message.message, traceparent } };
  }

  /** The body as it leaves where it cannot leave as it came. */
  async #recoded({ header }: Judged, body: Body): Promise<Recoded | undefined> {
    if (!this.#scan.hasLongBodyLine) return undefined;
    const { id, anotherId } = this.#delivery;
    const recoded = await recodeBody(this.#spool, { header, id, body, anotherId });
    if (recoded === undefined) return undefined;
    const asSent = this.#writer;
    this.#writer = recoded.writer;
    await asSent?.abort();
    return recoded;
  }

  #compose({ header, plan, admission }: Judged, stored: Stored): NewMessage {
    const { mail, recipients } = this.#delivery;
    const { id, body, bodyHash, eightBit, encoding } = stored;
    const acceptedAt = this.#delivery.now();
    const reception = { ...this.#delivery.reception, id, at: acceptedAt };
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
      header: renderOutgoing({ header, plan, reception, ...(encoding === undefined ? {} : { encoding }) }),
      body,
      bodyHash,
    };
    return {
      message,
      recipients: recipients.map((each, index) => ({ ...each, index, attempts: 0 })),
      dueAt: acceptedAt,
    };
  }

  /** Safe at any time. A spool that cannot even throw away says so in its own log. */
  async abort(): Promise<void> {
    this.#headerChunks = [];
    await this.#writer?.abort().catch(() => undefined);
  }
}

export function oversize(limitBytes: number): Refusal {
  return refusal(552, "5.3.4", `The message is larger than the limit of ${limitBytes} octets`);
}

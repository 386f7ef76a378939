/**
 * DATA: a stream of octets becomes a message in the spool, or a refusal and nothing.
 *
 * The header is held in memory and judged as soon as it is complete; the body runs through the scan and the hash into the
 * spool's writer, one chunk at a time. The client gets its 250 only from the line behind the commit. Whatever goes wrong,
 * the writer is aborted, the rest of the stream is read and thrown away, and the spool holds nothing of it.
 */
import type { Readable } from "node:stream";
import { SpoolFullError, type BodyWriter, type Spool } from "../spool/spool.ts";
import type { Body, NewMessage, SpoolId } from "../spool/entry.ts";
import { RelaxedBodyHash } from "../mail/bodyhash.ts";
import { ContentScan, type ContentFault } from "../mail/content.ts";
import type { EnvelopeRecipient } from "../mail/envelope.ts";
import { fieldsNamed, fieldValue, keptFields, parseHeader, type Header, type HeaderFault } from "../mail/header.ts";
import { headerOctets } from "../mail/limit.ts";
import { formatDate, renderReceived, type Reception } from "../mail/received.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import { traceFieldNames } from "../observe/tracefields.ts";
import type { Admission } from "./admit.ts";
import type { MailCommand } from "./smtp/command.ts";

export interface Delivery {
  readonly id: SpoolId;
  readonly mail: MailCommand;
  readonly recipients: readonly EnvelopeRecipient[];
  readonly sizeLimitBytes: number;
  /** Everything of the Received field but its time. */
  readonly reception: Omit<Reception, "at">;
  readonly admit: (header: Header) => Admission | Refusal;
  readonly now: () => number;
  /** Told when the message is complete and admitted; returns the trace context that is kept with it. */
  readonly spooling?: (domain: string) => string | undefined;
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

export const insufficientStorage = refusal(452, "4.3.1", "Insufficient system storage, try again later");

/** Resolves when the stream has ended or died; undefined means that the client went away and hears nothing. */
export async function acceptMessage(
  stream: Readable,
  spool: Spool,
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
    return { kind: "accepted", id, domain, sizeBytes: intake.sizeBytes, acceptedAt, messageId: intake.messageId };
  } catch (error) {
    await intake.abort();
    return storageRefusal(error);
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

/** The state of one DATA: gathering the header, then writing the body; or refused, and then only swallowing. */
class Intake {
  readonly #spool: Spool;
  readonly #delivery: Delivery;
  readonly #scan = new ContentScan();
  readonly #hash = new RelaxedBodyHash();
  #headerChunks: Buffer[] = [];
  #headerBytes = 0;
  #header: Header | undefined;
  #admission: Admission | undefined;
  #writer: BodyWriter | undefined;
  #refusal: Refusal | undefined;
  #sizeBytes = 0;

  constructor(spool: Spool, delivery: Delivery) {
    this.#spool = spool;
    this.#delivery = delivery;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get messageId(): string {
    const header = this.#header;
    const [field] = header === undefined ? [] : fieldsNamed(header, "message-id");
    return header === undefined || field === undefined
      ? addedMessageId(this.#delivery.reception)
      : fieldValue(header, field);
  }

  refuse(refused: Refusal): void {
    this.#refusal ??= refused;
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
    const body = this.#header === undefined ? this.#gatherHeader(chunk) : chunk;
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
    this.#header = header;
    this.#admission = admission;
    this.#writer = this.#spool.begin(this.#delivery.id);
  }

  /** Everything the spool wants to know, with the body safely in its hands. */
  async finish(): Promise<NewMessage | Refusal> {
    const fault = this.#refusal === undefined ? this.#scan.end() : undefined;
    if (fault !== undefined) this.refuse(contentRefusal(fault));
    // A message without an empty line is all header (RFC 5322 section 3.5: the body is optional).
    if (this.#refusal === undefined && this.#header === undefined) this.#judge(Buffer.concat(this.#headerChunks));
    const header = this.#header;
    const writer = this.#writer;
    if (this.#refusal !== undefined) return this.#refusal;
    const admission = this.#admission;
    if (header === undefined || writer === undefined || admission === undefined) {
      throw new Error("a message without header was not refused");
    }
    const traceparent = this.#delivery.spooling?.(admission.domain);
    const body = await writer.finish();
    const message = this.#compose(header, admission, body);
    return traceparent === undefined ? message : { ...message, message: { ...message.message, traceparent } };
  }

  #compose(header: Header, admission: Admission, body: Body): NewMessage {
    const { id, mail, recipients } = this.#delivery;
    const acceptedAt = this.#delivery.now();
    const message: NewMessage["message"] = {
      id,
      acceptedAt,
      sender: mail.sender?.address ?? "",
      smtpUtf8: mail.smtpUtf8,
      eightBit: this.#scan.eightBit,
      ...(mail.ret === undefined ? {} : { ret: mail.ret }),
      ...(mail.envid === undefined ? {} : { envid: mail.envid }),
      domain: admission.domain,
      mustSign: admission.mustSign,
      header: completeHeader(header, { ...this.#delivery.reception, at: acceptedAt }),
      body,
      bodyHash: this.#hash.digest(),
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

/** Received on top, then what was kept as it came, then what RFC 6409 section 8 lets a submission server add. */
function completeHeader(header: Header, reception: Reception): Buffer {
  const parts = [Buffer.from(renderReceived(reception), "latin1"), ...keptFields(header, droppedFields)];
  if (fieldsNamed(header, "date").length === 0)
    parts.push(Buffer.from(`Date: ${formatDate(reception.at)}\r\n`, "latin1"));
  if (fieldsNamed(header, "message-id").length === 0) {
    parts.push(Buffer.from(`Message-ID: ${addedMessageId(reception)}\r\n`, "latin1"));
  }
  return Buffer.concat(parts);
}

function addedMessageId({ id, by }: Pick<Reception, "id" | "by">): string {
  return `<${id}@${by}>`;
}

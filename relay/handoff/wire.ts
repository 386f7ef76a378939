/**
 * What goes over the wire between two pods of a relay: `PUT /handoff/<spool id>` brings a message, `GET` asks for one. Both
 * name the offer and the giver's spool in headers.
 *
 * The body of a PUT is the length of the head (4 octets, big endian), the head as JSON, the header fields and the body of the
 * message as the spool keeps them. Pods of one relay may be of different versions for a while: fields that a pod does not know are
 * passed over, an unknown version is refused.
 */
import { z } from "zod";
import { wireShape } from "../spool/message/field.ts";
import { isSpoolId, type SpoolId } from "../spool/message/id.ts";
import {
  messageFields,
  scheduledFields,
  type Message,
  type ScheduledRecipient,
  type WholeMessage,
} from "../spool/message/message.ts";

export const handoffPath = "/handoff/";

/** Names of HTTP headers. `from` is the giver's name, for people; `offeredAt` in ms since the epoch, and not of every release. */
export const headerName = {
  offer: "mailboat-offer",
  offeredAt: "mailboat-offered-at",
  spool: "mailboat-spool",
  from: "mailboat-pod",
  trace: "mailboat-trace",
} as const;

/** 1,000 recipients with the longest replies that a spool keeps are 6 MiB. */
const longestHead = 32 * 1024 * 1024;
/** A header is limited at acceptance; this only bounds what a broken peer can make us keep. */
const longestHeader = 4 * 1024 * 1024;

const head = z.object({
  version: z.literal(1),
  ...wireShape(messageFields),
  headerBytes: z.int().min(0).max(longestHeader),
  bodyBytes: z.int().min(0),
  recipients: z.array(z.object(wireShape(scheduledFields))).min(1),
});

/** As it comes: the body is still on its way. */
export interface Incoming {
  readonly message: Omit<Message, "id" | "body">;
  readonly recipients: readonly ScheduledRecipient[];
  readonly bodyBytes: number;
}

/** The peer sent what this version does not understand, or less or more than it said. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** Undefined for what no spool made. */
export function spoolIdFrom(text: string): SpoolId | undefined {
  return isSpoolId(text) ? text : undefined;
}

/**
 * Everything before the body. `staying` is what the giver's delivery.mode says of an address: the peer may have an older one, and would
 * send. What was taken under Send and is handed over while the mode keeps it so stays for good, which is the lesser harm: it can be read.
 */
export function encodeHead(
  { message, recipients }: WholeMessage,
  staying: (address: string) => Pick<ScheduledRecipient, "stays">,
): Buffer {
  const { id: _, header, body, ...facts } = message;
  const bodyBytes = body.kind === "inline" ? body.bytes.length : body.sizeBytes;
  const marked = recipients.map((recipient) => ({ ...recipient, ...staying(recipient.address) }));
  const value = { version: 1, ...facts, headerBytes: header.length, bodyBytes, recipients: marked };
  const json = Buffer.from(JSON.stringify(value), "utf8");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([length, json, header]);
}

/** Rejects with WireError. */
export async function readHead(source: ByteSource): Promise<Incoming> {
  const length = (await source.exactly(4)).readUInt32BE();
  if (length > longestHead) throw new WireError(`a head of ${length} octets is too long`);
  const read = head.safeParse(parsed(await source.exactly(length)));
  if (!read.success) {
    const faults = read.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new WireError(`the head is not understood: ${faults.slice(0, 3).join("; ")}`);
  }
  const { version: _, headerBytes, bodyBytes, recipients, ...facts } = read.data;
  return { message: { ...facts, header: await source.exactly(headerBytes) }, recipients, bodyBytes };
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new WireError("the head is not JSON");
  }
}

/** Reads counted octets from a stream of chunks, and keeps no more than the chunk at hand. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterator<Buffer>) {
    this.#chunks = chunks;
  }

  /** Rejects with WireError when the stream ends before. */
  async exactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.upTo(count)) parts.push(part);
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  /** The next `count` octets, chunk by chunk. */
  async *upTo(count: number): AsyncIterable<Buffer> {
    for (let left = count; left > 0;) {
      if (this.#rest.length === 0) this.#rest = await this.#next(left);
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** Rejects with WireError when there is more. */
  async end(): Promise<void> {
    const isEnd = this.#rest.length === 0 && (await this.#read()).done === true;
    if (!isEnd) throw new WireError("there are more octets than the head says");
  }

  /** Lets go of the stream; what is left of it is not read. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #read(): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      // The giver died or the network did: it asks again when it can.
      throw new WireError("the transfer was cut", { cause: error });
    }
  }

  async #next(left: number): Promise<Buffer> {
    const next = await this.#read();
    if (next.done === true) throw new WireError(`the transfer ended ${left} octets too early`);
    return next.value;
  }
}

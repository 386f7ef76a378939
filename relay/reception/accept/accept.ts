/**
 * DATA: a stream of octets becomes a message in the spool, or a refusal and nothing.
 *
 * The client gets its 250 only from the line behind the commit. Whatever goes wrong, the writer is aborted, the rest of the
 * stream is read and thrown away, and the spool holds nothing of it.
 */
import type { Readable } from "node:stream";
import { after, isLater, type Answer } from "../../../runtime/answer.ts";
import type { SpoolId } from "../../spool/message/id.ts";
import type { ReceivingSpool } from "../../spool/start.ts";
import { SpoolFullError } from "../../spool/verbs.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import { IncomingMessage, type IncomingOptions } from "./incoming.ts";

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

const noSpace = new Set(["ENOSPC", "EDQUOT"]);

export const insufficientStorage = refusal(452, "4.3.1", "Insufficient system storage, try again later");

/** Resolves when the stream has ended or died; undefined means that the client went away and hears nothing. */
export async function acceptMessage(
  stream: Readable,
  spool: ReceivingSpool,
  options: IncomingOptions,
): Promise<Accepted | Refusal | undefined> {
  const incoming = new IncomingMessage(spool, options);
  let isKept = false;
  try {
    const whole = await consume(stream, incoming);
    if (!whole) {
      await incoming.abort();
      return undefined;
    }
    const message = await incoming.finish();
    if ("kind" in message) {
      await incoming.abort();
      return message;
    }
    const quotas = options.quota?.charge(incoming.sizeBytes) ?? [];
    if ("kind" in quotas) {
      await incoming.abort();
      return quotas;
    }
    await spool.commit(quotas.length === 0 ? message : { ...message, quotas });
    isKept = true;
    const { id, domain, acceptedAt } = message.message;
    return {
      kind: "accepted",
      id,
      domain,
      sizeBytes: incoming.sizeBytes,
      acceptedAt,
      messageId: incoming.messageId(id),
    };
  } catch (error) {
    await incoming.abort();
    return storageRefusal(error);
  } finally {
    incoming.ended();
    options.quota?.ended(isKept);
  }
}

/** True at the end of the data, false when the connection broke before. Reads on, whatever becomes of the message. */
function consume(stream: Readable, incoming: IncomingMessage): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const failed = (error: unknown): void => incoming.refuse(storageRefusal(error));
  let pending: Promise<void> | undefined;
  stream.on("data", (chunk: Buffer) => {
    const taken = takeSafely(incoming, chunk, failed);
    if (!isLater(taken)) return;
    // The disk and who looks at the message set the pace: meanwhile the client's window fills instead of our memory.
    stream.pause();
    pending = taken.catch(failed).finally(() => stream.resume());
  });
  // A stream that is paused at its last octets ends all the same: they are not taken yet.
  stream.once("end", () => void after(pending, () => resolve(true)));
  stream.once("error", () => resolve(false));
  stream.once("close", () => {
    if (!stream.readableEnded) resolve(false);
  });
  return promise;
}

/** What is thrown inside a stream's event would end the process; it is this message's failure only. */
function takeSafely(incoming: IncomingMessage, chunk: Buffer, failed: (error: unknown) => void): Answer<void> {
  try {
    return incoming.take(chunk);
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

/**
 * A message as it travels between the spool's threads and stands in a row: its facts, and its octets as one array that is
 * handed over and not copied. Pure.
 */
import type { Message, MessageFacts } from "./message.ts";

export interface StoredMessage extends MessageFacts {
  readonly headerBytes: number;
  readonly bodyBytes: number;
  readonly bodyFile: boolean;
  /** Header then, when the body is in no file, body: an ArrayBuffer of its own, because cloning a view copies all behind it. */
  readonly content: Uint8Array;
}

/** Copies header and body into a buffer of their own, which may then be handed to another thread. */
export function storedOf(message: Message): StoredMessage {
  const { header, body, ...facts } = message;
  const inline = body.kind === "inline" ? body.bytes : Buffer.alloc(0);
  // Written whole by the two lines that follow; its memory is shared with no other buffer.
  const content: Uint8Array = Buffer.allocUnsafeSlow(header.length + inline.length);
  content.set(header, 0);
  content.set(inline, header.length);
  return {
    ...facts,
    headerBytes: header.length,
    bodyBytes: body.kind === "inline" ? inline.length : body.sizeBytes,
    bodyFile: body.kind === "file",
    content,
  };
}

export function messageOf(stored: StoredMessage): Message {
  const { headerBytes, bodyBytes, bodyFile, content, ...facts } = stored;
  const octets = Buffer.from(content.buffer, content.byteOffset, content.length);
  return {
    ...facts,
    header: octets.subarray(0, headerBytes),
    body: bodyFile ? { kind: "file", sizeBytes: bodyBytes } : { kind: "inline", bytes: octets.subarray(headerBytes) },
  };
}

/** The only file that knows the MIME parser. What it cannot read is an error, and never one of the exchanger's. */
import PostalMime, { type Attachment, type Email } from "postal-mime";
import type { MessageSummary } from "./record.ts";

export interface MessagePart {
  readonly name: string;
  /** Lower case, for example `image/png`. */
  readonly type: string;
  readonly bytes: Buffer;
  /** Without angle brackets. */
  readonly contentId: string | undefined;
  /** Shown within the HTML. */
  readonly isInline: boolean;
}

export interface ReadMessage {
  readonly subject: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly text: string | undefined;
  readonly html: string | undefined;
  readonly parts: readonly MessagePart[];
}

export async function readMessage(bytes: Buffer): Promise<ReadMessage> {
  const email = await parse(bytes);
  return {
    subject: email.subject ?? "",
    headers: email.headers.map(({ originalKey, value }) => ({ name: originalKey, value })),
    text: email.text,
    html: email.html,
    parts: email.attachments.map(partOf),
  };
}

/** `isWhole` is false when `bytes` are only the start of the message. */
export async function summarizeMessage(bytes: Buffer, isWhole: boolean): Promise<MessageSummary> {
  const email = await parse(isWhole ? bytes : headerOf(bytes));
  const all = (key: string): readonly string[] =>
    email.headers.filter((header) => header.key === key).map((header) => header.value);
  const isNotice = all("content-type").some((value) => /report-type\s*=\s*"?delivery-status/i.test(value));
  const returned = isNotice ? email.attachments.find((part) => returnedTypes.has(part.mimeType)) : undefined;
  const returnedSubject = returned === undefined ? undefined : (await parse(headerOf(bytesOf(returned)))).subject;
  const attachments = email.attachments.filter((part) => part !== returned && !isPartOfText(part)).length;
  return {
    subject: email.subject ?? "",
    receivedIds: all("received").flatMap((value) => /\bid\s+([A-Za-z0-9]+)/.exec(value)?.[1] ?? []),
    isNotice,
    ...(returnedSubject === undefined ? {} : { returnedSubject }),
    ...(isWhole ? { attachments } : {}),
  };
}

/** RFC 3462 section 2 and RFC 6533 section 5: the message that a notice gives back, or its header alone. */
const returnedTypes = new Set(["message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"]);

function parse(bytes: Buffer): Promise<Email> {
  return PostalMime.parse(bytes, { forceRfc822Attachments: true, attachmentEncoding: "arraybuffer" });
}

function headerOf(bytes: Buffer): Buffer {
  const end = bytes.indexOf("\r\n\r\n");
  return end < 0 ? bytes : bytes.subarray(0, end + 4);
}

function isPartOfText(part: Attachment): boolean {
  return part.related === true || part.mimeType === "message/delivery-status";
}

function bytesOf({ content }: Attachment): Buffer {
  if (typeof content === "string") return Buffer.from(content, "utf8");
  return content instanceof Uint8Array ? Buffer.from(content) : Buffer.from(new Uint8Array(content));
}

function partOf(part: Attachment, index: number): MessagePart {
  return {
    name: part.filename ?? nameFor(part.mimeType, index),
    type: part.mimeType,
    bytes: bytesOf(part),
    contentId: part.contentId?.replace(/^<|>$/g, ""),
    isInline: part.related === true,
  };
}

const endings: Readonly<Record<string, string>> = {
  "message/rfc822": "eml",
  "text/rfc822-headers": "txt",
  "message/delivery-status": "txt",
  "message/global": "eml",
  "text/plain": "txt",
  "text/html": "html",
  "image/png": "png",
  "image/jpeg": "jpg",
};

function nameFor(type: string, index: number): string {
  return `part-${index + 1}.${endings[type] ?? "bin"}`;
}

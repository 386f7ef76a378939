/** The only file that knows the MIME parser. What it cannot read is an error, and never one of the exchanger's. */
import PostalMime, { type Attachment, decodeWords, type Email } from "postal-mime";
import { hiddenLetters, lettersOf, textOfHtml } from "./htmltext.ts";
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
  /** Made of the HTML where the message brings none. */
  readonly text: string | undefined;
  readonly html: string | undefined;
  readonly parts: readonly MessagePart[];
}

export async function readMessage(bytes: Buffer): Promise<ReadMessage> {
  const email = await parse(bytes);
  return {
    subject: email.subject ?? "",
    headers: email.headers.map(({ originalKey, value }) => ({ name: originalKey, value })),
    text: textOf(email),
    html: email.html,
    parts: email.attachments.map(partOf),
  };
}

/** Where a message mixes text and HTML one after the other, the parser makes text of the HTML, and may leave its scripts in. */
function textOf({ text, html }: Email): string | undefined {
  if (html === undefined) return text;
  if (text === undefined) return textOfHtml(html);
  const letters = lettersOf(text);
  const showsHidden = hiddenLetters(html).some(
    (run) => run.length >= tellingLetters && letters.includes(run.slice(0, comparedLetters)),
  );
  return showsHidden ? textOfHtml(html) : text;
}

/** Fewer letters may stand in a text by chance. */
const tellingLetters = 12;
const comparedLetters = 40;

/** What a notice gives back: the message, or its header alone; undefined when it is no notice, or gives nothing back. */
export async function returnedBy(bytes: Buffer): Promise<ReturnedMessage | undefined> {
  const email = await parse(bytes);
  const part = email.attachments.find(({ mimeType }) => returnedTypes.has(mimeType));
  if (part === undefined) return undefined;
  const content = bytesOf(part);
  if (!part.mimeType.endsWith("headers")) return { bytes: content, isWhole: true };
  // The parser takes it for a text, whose lines end as it likes.
  return { bytes: Buffer.from(content.toString("latin1").replaceAll(/\r?\n/g, "\r\n"), "latin1"), isWhole: false };
}

export interface ReturnedMessage {
  readonly bytes: Buffer;
  /** False when it is the header alone. */
  readonly isWhole: boolean;
}

/** The value of a field as a person reads it (RFC 2047). */
export function decodedField(value: string): string {
  return decodeWords(value);
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
    ...(isNotice ? noticeAbout(email.attachments.find((part) => reportTypes.has(part.mimeType))) : {}),
    ...(isWhole ? { attachments } : {}),
  };
}

const shownRecipients = 100;
const readReportBytes = 262_144;

/** RFC 3464 section 2.3: groups of fields, the first of which is about the message and the others about a recipient each. */
function noticeAbout(report: Attachment | undefined): Pick<MessageSummary, "noticeTo" | "noticeAction"> {
  if (report === undefined) return {};
  const lines = bytesOf(report).subarray(0, readReportBytes).toString("utf8").split(/\r?\n/);
  const fieldsOf = (name: string): readonly string[] =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim());
  // The type of an address stands before it: `rfc822; anna@example.net`.
  const to = fieldsOf("final-recipient").map((value) => value.slice(value.indexOf(";") + 1).trim());
  const [action] = fieldsOf("action");
  return {
    noticeTo: to.slice(0, shownRecipients),
    ...(action === undefined ? {} : { noticeAction: action.toLowerCase() }),
  };
}

/** RFC 3462 section 2 and RFC 6533 section 5: the message that a notice gives back, or its header alone. */
const returnedTypes = new Set(["message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"]);

const reportTypes = new Set(["message/delivery-status", "message/global-delivery-status"]);

function parse(bytes: Buffer): Promise<Email> {
  return PostalMime.parse(bytes, { forceRfc822Attachments: true, attachmentEncoding: "arraybuffer" });
}

function headerOf(bytes: Buffer): Buffer {
  const end = bytes.indexOf("\r\n\r\n");
  return end < 0 ? bytes : bytes.subarray(0, end + 4);
}

function isPartOfText(part: Attachment): boolean {
  return part.related === true || reportTypes.has(part.mimeType);
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

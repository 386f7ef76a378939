/**
 * What the page's server answers, as docs/page.md tells it: types alone, for the server and for the page's files, which are checked
 * without Node's types. What is undefined is left out of an answer.
 */
import type { Tone, Waterfall } from "../trace/shape.ts";

export type Standing =
  "waiting" | "retrying" | "delivered" | "partly bounced" | "bounced" | "refused" | "captured" | "lost";

/** As a story tells it. */
export interface StoryOutline {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly subject?: string | undefined;
  readonly from: string;
  readonly to: readonly string[];
  /** How many there are in the envelope; `to` may know fewer. */
  readonly recipients: number;
  readonly standing: Standing;
  /** The last words of the other side, when they were no yes. */
  readonly reply?: string | undefined;
  /** When the next attempt is due, ISO 8601. */
  readonly dueAt?: string | undefined;
  readonly attempts: number;
  readonly dkim?: string | undefined;
  readonly attachments: number;
  readonly sizeBytes?: number | undefined;
  /** A delivery status notification. */
  readonly isNotice: boolean;
  /** What a notice is about. */
  readonly about?: About;
}

export interface About {
  readonly subject?: string;
  readonly to: readonly string[];
  /** As the report says it: failed, delayed, delivered, relayed or expanded (RFC 3464 section 2.3.3). */
  readonly action?: string;
}

/** `GET /api/messages`. */
export interface Outline extends StoryOutline {
  readonly unread: boolean;
  /** It was captured, and nothing of it is left on disk. */
  readonly gone: boolean;
}

/** What became of a message. */
export interface StoryTold {
  readonly spoolIds: readonly string[];
  readonly steps: readonly Step[];
  readonly traces: readonly Waterfall[];
  /** The story that this one is a notice of. */
  readonly noticeOf?: { readonly id: string; readonly subject?: string | undefined } | undefined;
}

/** `GET /api/messages/<id>`. */
export interface Detail extends Outline, StoryTold {
  readonly copies: readonly Copy[];
  /** Of a message that nobody has captured. */
  readonly held: Held | null;
}

export interface Step {
  /** ISO 8601. */
  readonly at: string;
  readonly pod: string;
  readonly what: string;
  readonly tone: Tone;
  readonly text: string;
  /** The story of the notice that the sender got. */
  readonly notice?: string;
}

/** What waits in a relay's spool, or what the notice of a failure gave back. */
export interface Held {
  readonly where: "spool" | "notice";
  /** In whose spool. */
  readonly pod: string | null;
  /** False when a notice gave back the header alone. */
  readonly isWhole: boolean;
  readonly sizeBytes: number;
  readonly content: Content;
  /** Where it comes from, in words for people. */
  readonly note: string;
}

export interface CapturedCopy {
  readonly file: string;
  readonly receivedAt: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly sizeBytes: number;
  readonly dkim: string;
  readonly signatures: readonly Signature[];
}

export interface Copy extends CapturedCopy {
  /** Its file was deleted from disk. */
  readonly gone: boolean;
  readonly content: Content | null;
  /** Why there is no content, in words for people. */
  readonly note: string | null;
}

export interface Signature {
  readonly result: string;
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: string;
  readonly comment?: string | undefined;
}

export interface Content {
  readonly headers: readonly Header[];
  /** Of the text part, or made of the HTML. */
  readonly text?: string | undefined;
  readonly hasHtml: boolean;
  readonly links: readonly Link[];
  readonly parts: readonly Part[];
  /** Why something is missing, in words for people. */
  readonly note?: string | undefined;
}

export interface Header {
  readonly name: string;
  readonly value: string;
}

export interface Link {
  readonly href: string;
  /** What a reader would see of it; empty for a picture without words. */
  readonly text: string;
}

export interface Part {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
  readonly isInline: boolean;
}

/** `GET /api/recipients`. */
export interface Behaviour {
  readonly localPart: string;
  readonly does: string;
}

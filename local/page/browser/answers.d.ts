/** What the page's server answers, as docs/page.md tells it: the page knows its server by these shapes alone. */

export type Standing =
  "waiting" | "retrying" | "delivered" | "partly bounced" | "bounced" | "refused" | "captured" | "lost";

export type Tone = "good" | "warning" | "bad" | "plain";

/** `GET /api/messages`. */
export interface Outline {
  readonly id: string;
  /** ISO 8601. */
  readonly at: string;
  readonly subject?: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly standing: Standing;
  readonly reply?: string;
  readonly dueAt?: string;
  readonly attempts: number;
  readonly dkim?: string;
  readonly attachments: number;
  readonly sizeBytes?: number;
  readonly isNotice: boolean;
  /** What a notice is about. */
  readonly about?: About;
  readonly unread: boolean;
  /** How many; `to` may know fewer. */
  readonly recipients: number;
  /** It had files, and none is left on disk. */
  readonly gone: boolean;
}

export interface About {
  readonly subject?: string;
  readonly to: readonly string[];
  /** RFC 3464 section 2.3.3: failed, delayed and others. */
  readonly action?: string;
}

/** `GET /api/messages/<id>`. */
export interface Detail extends Outline {
  readonly steps: readonly Step[];
  readonly traces: readonly Trace[];
  readonly copies: readonly Copy[];
  /** What is known of a message that nobody has taken. */
  readonly held?: Held | null;
  readonly noticeOf?: { readonly id: string; readonly subject?: string };
}

export interface Step {
  readonly at: string;
  readonly pod: string;
  readonly what: string;
  readonly tone: Tone;
  readonly text: string;
  /** Id of the notice that the sender got. */
  readonly notice?: string;
}

export interface Trace {
  readonly traceId: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly rows: readonly Hop[];
}

export interface Hop {
  readonly name: string;
  readonly depth: number;
  readonly pod: string;
  readonly offsetMs: number;
  readonly durationMs: number;
  readonly tone: Tone;
  readonly note: string;
}

/** What waits in a relay's spool, or what the notice of a failure gave back. */
export interface Held {
  readonly where: "spool" | "notice";
  readonly pod: string | null;
  /** False: the header alone. */
  readonly isWhole: boolean;
  readonly sizeBytes: number;
  readonly content: Content;
  /** Where it comes from. */
  readonly note: string;
}

export interface Copy {
  readonly file: string;
  readonly receivedAt: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly sizeBytes: number;
  readonly signatures: readonly Signature[];
  /** Its file was deleted from disk. */
  readonly gone: boolean;
  readonly content: Content | null;
  /** Why there is no content. */
  readonly note?: string | null;
}

export interface Signature {
  readonly result: string;
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: string;
  readonly comment?: string;
}

export interface Content {
  readonly headers: readonly Header[];
  readonly text?: string;
  readonly hasHtml: boolean;
  readonly links: readonly { readonly href: string; readonly text: string }[];
  readonly parts: readonly Part[];
  readonly note?: string;
}

export interface Header {
  readonly name: string;
  readonly value: string;
}

export interface Part {
  readonly name: string;
  readonly type: string;
  readonly sizeBytes: number;
}

/** `GET /api/recipients`. */
export interface Behaviour {
  readonly localPart: string;
  readonly does: string;
}

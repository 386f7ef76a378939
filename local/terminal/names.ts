/**
 * Whose message a line is about: what relays told of it, what waits in their spools, what the capture exchanger saw. Bounded; the
 * relays' logs hold domains only. Pure.
 */
import { capturedFile, answerId, type CaptureAnswer, type CapturedMessage } from "../capture/record.ts";
import type { MailEvent } from "./mailevent.ts";

export interface Names {
  /** Empty for a notice. */
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string | undefined;
}

/** What was seen of a message. */
export interface Seen {
  /** As the relay took it. */
  readonly names: Names | undefined;
  readonly captured: CapturedMessage | undefined;
  readonly answer: CaptureAnswer | undefined;
}

const kept = 2_000;

export class NameBook {
  readonly #names = new Bounded<Names>();
  readonly #captured = new Bounded<CapturedMessage>();
  readonly #answers = new Bounded<CaptureAnswer>();

  know(spoolId: string, names: Names): void {
    this.#names.set(spoolId, names);
  }

  captured(message: CapturedMessage): void {
    this.#captured.set(message.file, message);
  }

  answered(answer: CaptureAnswer): void {
    this.#answers.set(answer.id, answer);
  }

  isKnown(spoolId: string): boolean {
    return this.#names.get(spoolId) !== undefined;
  }

  /** A notice goes to whoever sent what it is about. */
  noticed({ spoolId = "", noticeId }: Pick<MailEvent, "spoolId" | "noticeId">): void {
    const about = this.#names.get(spoolId);
    if (noticeId !== undefined && about !== undefined && about.from !== "")
      this.#names.set(noticeId, { from: "", to: [about.from], subject: undefined });
  }

  of({ spoolId = "", msg, reply }: Pick<MailEvent, "spoolId" | "msg" | "reply">): Seen {
    const file = msg === "delivered" ? capturedFile(reply) : undefined;
    return {
      names: this.#names.get(spoolId),
      captured: this.#captured.get(file ?? ""),
      answer: this.#answers.get(answerId(reply) ?? ""),
    };
  }
}

/** The newest of them. */
class Bounded<T> {
  readonly #entries = new Map<string, T>();

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > kept && oldest !== undefined) this.#entries.delete(oldest);
  }

  get(key: string): T | undefined {
    return this.#entries.get(key);
  }
}

/** Of the recipients that an outcome is about: one by name and how many more, or their domain when it is not known which. */
export function recipientWords({ names, captured, answer }: Seen, event: MailEvent): string {
  const domain = event.recipientDomain;
  const count = event.recipients ?? 1;
  const there = (names?.to ?? []).filter((address) => domain === undefined || domainPart(address) === domain);
  const known = answer?.to ?? captured?.to ?? (there.length === count ? there : []);
  const [first] = known;
  if (first === undefined) return domain === undefined ? "" : count > 1 ? `${count} at ${domain}` : `…@${domain}`;
  return known.length > 1 ? `${first} and ${known.length - 1} more` : first;
}

export function subjectOf({ names, captured, answer }: Seen): string | undefined {
  return captured?.summary?.subject ?? answer?.summary?.subject ?? names?.subject;
}

export function senderWords({ names, captured, answer }: Seen, event: MailEvent): string {
  return names?.from ?? captured?.from ?? answer?.from ?? event.domain ?? "";
}

function domainPart(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1).toLowerCase();
}

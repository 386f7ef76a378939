/**
 * What was answered 250 and what came to the next hop: each message once to each of its recipients, as it was written, and none
 * besides but the notices that were asked for (RFC 3461 section 4.1).
 */
import assert from "node:assert/strict";
import { domainToASCII } from "node:url";
import { unstatedChange } from "../message.ts";
import type { NextHop, ReceivedMail } from "../nexthop.ts";
import { subjectOf } from "../stage.ts";
import { grantedDomains } from "./addresses.ts";
import type { Transaction } from "./sessionmodel.ts";

export interface Entry {
  readonly subject: string;
  readonly message: Buffer;
  readonly transaction: Transaction;
  /** False where the client did not wait for the reply: it may have been taken. */
  readonly isAnswered: boolean;
}

export class Ledger {
  readonly #hop: NextHop;
  readonly #entries = new Map<string, Entry>();
  #written = 0;
  /** That were answered 250 and have arrived as they should. */
  settled = 0;

  constructor(hop: NextHop) {
    this.#hop = hop;
  }

  nextSubject(): string {
    this.#written += 1;
    return `message ${this.#written}`;
  }

  note(entry: Entry): void {
    this.#entries.set(entry.subject, entry);
  }

  /** Waits for what was answered 250, judges all that came, and forgets it. */
  async settle(): Promise<void> {
    const answered = [...this.#entries.values()].filter(({ isAnswered }) => isAnswered);
    await this.#hop.waitUntil("mail that was answered 250", () => {
      const arrived = this.#arrivals();
      return answered.every(
        ({ subject, transaction }) => recipientsOf(arrived.get(subject) ?? []).length >= leastOf(transaction),
      );
    });
    const arrivals = this.#arrivals();
    this.#hop.mails.length = 0;
    // What nobody waited for may still come.
    const judged = new Map(this.#entries);
    for (const { subject, isAnswered } of judged.values()) if (isAnswered) this.#entries.delete(subject);
    for (const [subject, mails] of arrivals) this.#judge(judged.get(subject), subject, mails);
    this.settled += answered.length;
  }

  #arrivals(): ReadonlyMap<string, readonly ReceivedMail[]> {
    return Map.groupBy(this.#hop.mails, (mail) => (isNotice(mail) ? "notices" : subjectOf(mail.message)));
  }

  #judge(entry: Entry | undefined, subject: string, mails: readonly ReceivedMail[]): void {
    // Whose they are the tests of notices say; here they only must not be somebody's message.
    if (subject === "notices") return;
    assert.ok(entry !== undefined, `nobody was answered 250 for ${JSON.stringify(subject)}, and it was sent`);
    const { transaction, message } = entry;
    const recipients = recipientsOf(mails);
    assert.equal(new Set(recipients).size, recipients.length, `${subject}: sent twice to somebody`);
    const extra = recipients.filter((address) => !transaction.recipients.has(address));
    assert.ok(extra.length <= transaction.uncertain, `${subject}: sent to ${extra.join(" ")} of whom nobody spoke`);
    for (const mail of mails) {
      assert.ok(isSenderOf(transaction, mail.sender), `${subject}: sent as ${mail.sender}, not ${transaction.sender}`);
      assert.equal(unstatedChange(message, mail.message), undefined, subject);
    }
  }
}

function isNotice({ sender, message }: ReceivedMail): boolean {
  return sender === "" && /^Auto-Submitted: auto-(?:replied|generated)/im.test(message.toString("latin1"));
}

function recipientsOf(mails: readonly ReceivedMail[]): readonly string[] {
  return mails.flatMap(({ recipients }) => recipients);
}

/** An address of a line that was changed at random may be one that was named before. */
function leastOf({ recipients }: Transaction): number {
  return Math.max(1, recipients.size);
}

function isSenderOf(transaction: Transaction, sender: string): boolean {
  if (transaction.sender !== undefined) return sender === transaction.sender;
  const domain = domainToASCII(sender.slice(sender.lastIndexOf("@") + 1));
  return sender === "" || grantedDomains.some((granted) => granted === domain);
}

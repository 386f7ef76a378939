/**
 * MAIL, RCPT and DATA in their order (RFC 5321 section 3.3 and 4.1.4): who may say which, what it means, and what is answered.
 *
 * The envelope grows when a rule has let its part pass, which may take a while; nothing else is asked of it meanwhile.
 */
import { after, type Answer } from "../../../runtime/answer.ts";
import { refusal, type Refusal, type Reply } from "../../mail/reply.ts";
import { parseMail, parseRcpt, refuseData } from "./command.ts";
import type { Envelope, SessionRules, SessionState } from "./rules.ts";

const senderAccepted: Reply = { code: 250, enhanced: "2.1.0", text: "Sender accepted" };
const recipientAccepted: Reply = { code: 250, enhanced: "2.1.5", text: "Recipient accepted" };
const nested = refusal(503, "5.5.1", "Nested MAIL command");
const noSender = refusal(503, "5.5.1", "Need MAIL command first");

export class EnvelopeCommands {
  readonly #rules: SessionRules;
  #envelope: Envelope | undefined;

  constructor(rules: SessionRules) {
    this.#rules = rules;
  }

  /** A transaction has begun. */
  get isOpen(): boolean {
    return this.#envelope !== undefined;
  }

  reset(): void {
    this.#envelope = undefined;
  }

  mail(line: Buffer, state: SessionState): Answer<Reply> {
    if (this.#envelope !== undefined) return nested;
    const refused = this.#rules.leaving() ?? this.#rules.mayMail(state);
    if (refused !== undefined) return refused;
    const mail = parseMail(line);
    if (mail.kind === "refusal") return mail;
    return after(this.#rules.mail(state, mail), (decision) => {
      if (decision !== undefined) return decision;
      this.#envelope = { mail, recipients: new Map() };
      return senderAccepted;
    });
  }

  rcpt(line: Buffer, state: SessionState): Answer<Reply> {
    const envelope = this.#envelope;
    if (envelope === undefined) return noSender;
    const session = { smtpUtf8: envelope.mail.smtpUtf8, hostname: this.#rules.hostname };
    const parsed = parseRcpt(line, session);
    if (parsed.kind === "refusal") return parsed;
    const { recipient } = parsed;
    return after(this.#rules.recipient(state, envelope, recipient), (decision) => {
      if (decision !== undefined) return decision;
      envelope.recipients.set(recipient.address, recipient);
      return recipientAccepted;
    });
  }

  /** The envelope that a message may follow. */
  data(line: Buffer): Envelope | Refusal {
    const envelope = this.#envelope;
    const refused = this.#rules.leaving() ?? refuseData(line, envelope?.recipients.size ?? 0);
    return refused ?? envelope ?? noSender;
  }
}

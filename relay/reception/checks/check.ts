/**
 * Who is asked while mail comes in, beside the rules of the house: at the connection, at MAIL, at each RCPT, of the header, and while
 * the content streams. They may wait.
 *
 * A check answers at once or later, with its verdict. The commands behind it on the same connection wait with it; nobody else does.
 * It has its deadline for each answer: one that does not come in time, or fails, is a temporary refusal. Its signal is
 * aborted when nobody waits for it any more: the client has gone, the time is over, the message was refused by another.
 */
import type { Answer } from "../../../runtime/answer.ts";
import type { EnvelopeRecipient } from "../../mail/envelope.ts";
import type { Header } from "../../mail/header.ts";
import type { MailCommand } from "../../smtp/server/command.ts";
import type { ClientOrigin, Envelope, SessionState } from "../../smtp/server/rules.ts";
import type { Admission, Client } from "../admit.ts";
import type { Verdict } from "./verdict.ts";

/** What checks of every kind have. */
export interface CheckTerms {
  /** As log lines and metrics call it. */
  readonly name: string;
  readonly deadlineMs: number;
}

/** What comes with each question: a signal that is aborted when nobody waits for the answer any more. */
export type Attention = Pick<AbortController, "signal">;

export interface Check<Question> extends CheckTerms {
  judge(question: Question, attention: Attention): Answer<Verdict>;
}

/** At the greeting. */
export interface ConnectQuestion {
  readonly listener: string;
  readonly origin: ClientOrigin;
  /** Inside a network that the listener trusts. */
  readonly isTrusted: boolean;
}

/** At MAIL. */
export interface SenderQuestion {
  readonly origin: ClientOrigin;
  readonly client: Client;
  readonly session: SessionState;
  readonly mail: MailCommand;
}

/** At each RCPT: who was accepted before is in the envelope. */
export interface RecipientQuestion extends Omit<SenderQuestion, "mail"> {
  readonly envelope: Envelope;
  readonly recipient: EnvelopeRecipient;
}

/** When the header is complete and the rules of the house have let it pass. */
export interface MessageQuestion extends Omit<SenderQuestion, "mail"> {
  readonly envelope: Envelope;
  /** As the client sent it. */
  readonly header: Header;
  readonly admission: Admission;
}

/** Who is given the octets of a body as they come. */
export interface Tap {
  /** The next octets; a promise asks for patience until it settles. */
  write(chunk: Buffer): Answer<void>;
}

/** What a check makes of one message. */
export interface ContentTap extends Tap {
  /** Asked when the body is complete, unless the message was refused before. */
  verdict(): Answer<Verdict>;
}

export interface ContentCheck extends CheckTerms {
  /** Begins with this message; undefined when it is none of its business. */
  begin(message: MessageQuestion, attention: Attention): ContentTap | undefined;
}

/** In the order in which they are asked. */
export interface Checks {
  readonly connect: readonly Check<ConnectQuestion>[];
  readonly sender: readonly Check<SenderQuestion>[];
  readonly recipient: readonly Check<RecipientQuestion>[];
  readonly header: readonly Check<MessageQuestion>[];
  /** Asked side by side, while the body streams. */
  readonly content: readonly ContentCheck[];
}

export const noChecks: Checks = { connect: [], sender: [], recipient: [], header: [], content: [] };

/**
 * Who is asked while mail comes in, beside the rules of the house: quotas, lists, recipients' hosts, looks at content. They may wait.
 *
 * A stage answers at once or later, with its verdict. The commands behind it on the same connection wait with it; nobody else does.
 * It has its deadline for each answer: one that does not come in time, or fails, is a temporary refusal. Its signal is
 * aborted when nobody waits for it any more: the client has gone, the time is over, the message was refused by another.
 */
import type { Answer } from "../../../runtime/answer.ts";
import type { EnvelopeRecipient } from "../../mail/envelope.ts";
import type { Header } from "../../mail/header.ts";
import type { MailCommand } from "../../smtp/server/command.ts";
import type { ClientPlace, Envelope, SessionState } from "../../smtp/server/rules.ts";
import type { Admission, Client } from "../admit.ts";
import type { Verdict } from "./verdict.ts";

/** What stages of every kind have. */
export interface Station {
  /** As log lines and metrics call it. */
  readonly name: string;
  readonly deadlineMs: number;
}

/** What comes with each question: a signal that is aborted when nobody waits for the answer any more. */
export type Turn = Pick<AbortController, "signal">;

export interface Stage<Question> extends Station {
  judge(question: Question, turn: Turn): Answer<Verdict>;
}

/** At the greeting. */
export interface OpeningQuestion {
  readonly listener: string;
  readonly place: ClientPlace;
  /** Inside a network that the listener trusts. */
  readonly isTrusted: boolean;
}

/** At MAIL. */
export interface SenderQuestion {
  readonly place: ClientPlace;
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

/** One look at one message. */
export interface ContentTap extends Tap {
  /** Asked when the body is complete, unless the message was refused before. */
  verdict(): Answer<Verdict>;
}

export interface ContentStage extends Station {
  /** Its look at this message begins; undefined when it is none of its business. */
  begin(message: MessageQuestion, turn: Turn): ContentTap | undefined;
}

/** In the order in which they are asked. */
export interface Stages {
  readonly opening: readonly Stage<OpeningQuestion>[];
  readonly sender: readonly Stage<SenderQuestion>[];
  readonly recipient: readonly Stage<RecipientQuestion>[];
  readonly header: readonly Stage<MessageQuestion>[];
  /** Asked side by side, while the body streams. */
  readonly content: readonly ContentStage[];
}

export const noStages: Stages = { opening: [], sender: [], recipient: [], header: [], content: [] };

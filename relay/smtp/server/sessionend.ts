/**
 * How a session ends when it is not the client that says QUIT: its place is another's, its time is over, its input has ended or is too
 * much, or mail is no longer taken.
 *
 * Whoever is inside DATA hears the reply to the message first (RFC 5321 section 3.8). While a handshake runs nothing can be said:
 * then the socket goes.
 */
import { refusal, type Refusal } from "../../mail/reply.ts";
import { goodbyeOf } from "./rules.ts";

/** A session, as its end knows it. */
export interface Ending {
  readonly name: string;
  /** Between DATA and the reply to the message. */
  readonly receiving: boolean;
  readonly isOver: boolean;
  readonly isHandshaking: boolean;
  /** 421 closes. */
  reply(refused: Refusal): void;
  close(): void;
  destroy(): void;
}

const overtimes = {
  stranger: "you have not logged in",
  idle: "nothing was sent",
  slow: "the message came too slowly",
} as const;
export type Overtime = keyof typeof overtimes;

export class SessionEnd {
  readonly #session: Ending;
  #leaving = false;

  constructor(session: Ending) {
    this.#session = session;
  }

  /** The place is another's now. */
  giveWay(): void {
    if (this.#session.isHandshaking) return this.#session.destroy();
    this.#session.reply(refusal(421, "4.3.2", "Too many connections, log in sooner"));
  }

  timeOut(why: Overtime): void {
    if (this.#session.isOver) return;
    if (this.#session.isHandshaking) return this.#session.destroy();
    this.#session.reply(refusal(421, "4.4.2", `Timeout, ${overtimes[why]}`));
  }

  /** Everything that the client had to say was read and answered: it may have closed its side only to say so. */
  inputEnded(): void {
    if (this.#session.isHandshaking || this.#session.isOver) return;
    // A message that will never be whole.
    if (this.#session.receiving) return this.#session.destroy();
    this.#session.close();
  }

  /** A client that sends on past twice the limit does not read replies either: it hears 552 and loses the connection. */
  flooded(sizeLimitBytes: number): void {
    this.#session.reply(refusal(552, "5.3.4", `The message is larger than the limit of ${sizeLimitBytes} octets`));
    this.#session.close();
  }

  /** Says 421 now, or after the reply to the message under way. */
  leave(): void {
    this.#leaving = true;
    if (!this.#session.receiving) this.#goodbye();
  }

  /** The order to leave is taken back: who is inside DATA keeps the session after all. */
  stay(): void {
    this.#leaving = false;
  }

  /** True when the message that was answered is the last one. */
  messageAnswered(): boolean {
    if (this.#leaving) this.#goodbye();
    return this.#leaving;
  }

  #goodbye(): void {
    if (!this.#session.isOver) this.#session.reply(goodbyeOf(this.#session.name));
  }
}

/** What checks think of a session and of its transaction so far, and which of them refused last: the log names it with the refusal. */
import type { Refusal } from "../../mail/reply.ts";
import { combine, isStopped, pass, type Passed, type Stopped, type Verdict } from "./verdict.ts";

export class SessionVerdict {
  #ofSession: Passed = pass;
  #ofBoth: Passed = pass;
  #stoppedBy: string | undefined;

  /** Of the session and its transaction together. */
  get soFar(): Passed {
    return this.#ofBoth;
  }

  /** The session may begin. */
  opened(verdict: Passed): void {
    this.#ofSession = verdict;
    this.#ofBoth = verdict;
  }

  /** The transaction is over. */
  reset(): void {
    this.#ofBoth = this.#ofSession;
  }

  /** The transaction goes on, or why it does not. */
  concluded(verdict: Verdict): Refusal | undefined {
    if (isStopped(verdict)) return this.stopped(verdict);
    this.#ofBoth = combine(this.#ofBoth, verdict);
    return undefined;
  }

  stopped({ by, refusal }: Stopped): Refusal {
    this.#stoppedBy = by;
    return refusal;
  }

  /** The check whose refusal the client is just told. A second call says undefined, until another check has refused something. */
  told(): string | undefined {
    const by = this.#stoppedBy;
    this.#stoppedBy = undefined;
    return by;
  }
}

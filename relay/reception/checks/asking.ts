/**
 * One session's questions to checks, and how long it waits for their answers.
 *
 * An answer that is there at once is taken at once. One that does not come within the check's deadline, or that is a failure, is a
 * temporary refusal, counted and logged: the client comes again. All checks of one command together have no longer than a client
 * waits for its reply: once that time is spent, what is asked of it is answered so at once. When the session has ended nobody waits
 * any more: what is open is aborted, and ends as a refusal that nobody hears.
 */
import { after, isLater, type Answer } from "../../../runtime/answer.ts";
import { refusal } from "../../mail/reply.ts";
import { ContentTaps } from "./contenttaps.ts";
import type { ContentCheck, MessageQuestion, Check, CheckTerms } from "./check.ts";
import { validated, combine, isStopped, pass, stopped, type Stopped, type Verdict } from "./verdict.ts";

/** There was no answer within the deadline, or the check threw or rejected. */
export type Silence = { readonly kind: "overdue" } | { readonly kind: "failed"; readonly error: unknown };

/**
 * RFC 5321 sections 4.5.3.2.2, 4.5.3.2.3 and 4.5.3.2.6: a client waits five minutes for the reply to MAIL and to each RCPT, and ten for
 * the last one of a message; many wait for less.
 */
const replyPatienceMs = 240_000;

/** RFC 3463 section 3.4: something of ours is in trouble, and may be well the next time. */
const unanswered = refusal(451, "4.3.0", "This cannot be checked now, try again later");

export class Asking {
  readonly #onSilence: (check: string, silence: Silence) => void;
  readonly #patienceMs: number;
  readonly #now: () => number;
  /** What checks of the command may still take, without those that are waited for now. */
  #leftMs: number;
  /** Since when any are waited for. */
  #waitingSince = 0;
  /** Those that are waited for. */
  readonly #open = new Set<() => void>();
  #isOver = false;

  /** `now` in milliseconds, of a clock that only goes forward. */
  constructor(
    onSilence: (check: string, silence: Silence) => void,
    patienceMs = replyPatienceMs,
    now = () => performance.now(),
  ) {
    this.#onSilence = onSilence;
    this.#patienceMs = patienceMs;
    this.#now = now;
    this.#leftMs = patienceMs;
  }

  /** Another command has its own time, also while what was given up before has not come to its end. */
  begin(): void {
    this.#leftMs = this.#patienceMs;
    this.#waitingSince = this.#now();
  }

  /** One after the other, until one defers or refuses. `soFar` is what is thought already: it may be that nobody need be asked. */
  ask<Question>(soFar: Verdict, checks: readonly Check<Question>[], question: () => Question): Answer<Verdict> {
    if (checks.length === 0 || isStopped(soFar)) return soFar;
    return after(this.#askFrom(checks, 0, question()), (verdict) => combine(soFar, verdict));
  }

  #askFrom<Question>(checks: readonly Check<Question>[], at: number, question: Question): Answer<Verdict> {
    const check = checks[at];
    if (check === undefined) return pass;
    const controller = new AbortController();
    const verdict = this.#hear(check, controller, () => after(check.judge(question, controller), validated));
    return after(verdict, (first) => {
      if (isStopped(first) || at + 1 === checks.length) return first;
      return after(this.#askFrom(checks, at + 1, question), (rest) => combine(first, rest));
    });
  }

  /** Of all that look into the content of this message; undefined when nobody does. */
  tap(checks: readonly ContentCheck[], question: () => MessageQuestion): ContentTaps | undefined {
    if (checks.length === 0) return undefined;
    const message = question();
    const listenings = checks.map((check) => {
      const controller = new AbortController();
      return {
        begin: () => check.begin(message, controller),
        hear: <T>(listen: () => Answer<T>) => this.#hear(check, controller, listen),
        giveUp: () => controller.abort(),
      };
    });
    return new ContentTaps(listenings);
  }

  /** Nobody waits any more; more than once is once. */
  end(): void {
    this.#isOver = true;
    for (const giveUp of this.#open) giveUp();
  }

  /** What is said, or what it means that nothing is. */
  #hear<T>(check: CheckTerms, controller: AbortController, listen: () => Answer<T>): Answer<T | Stopped> {
    try {
      const answer = listen();
      return isLater(answer) ? this.#wait(check, controller, Promise.resolve(answer)) : answer;
    } catch (error) {
      return this.#failed(check, error);
    }
  }

  async #wait<T>(check: CheckTerms, controller: AbortController, answer: Promise<T>): Promise<T | Stopped> {
    const { promise: silence, resolve } = Promise.withResolvers<Stopped>();
    const giveUp = (): void => {
      controller.abort();
      resolve(stopped(check.name, unanswered));
    };
    const time = setTimeout(() => {
      this.#onSilence(check.name, { kind: "overdue" });
      giveUp();
    }, this.#timeFor(check));
    this.#open.add(giveUp);
    if (this.#isOver) giveUp();
    // What fails after that has nobody to tell, and is no news.
    const said = answer.catch((error: unknown) => (controller.signal.aborted ? silence : this.#failed(check, error)));
    const heard = await Promise.race([silence, said]);
    clearTimeout(time);
    this.#open.delete(giveUp);
    if (this.#open.size === 0) this.#leftMs -= this.#now() - this.#waitingSince;
    return heard;
  }

  /** Those of one command that are waited for side by side spend its time once. */
  #timeFor({ deadlineMs }: CheckTerms): number {
    if (this.#open.size === 0) this.#waitingSince = this.#now();
    const leftMs = this.#leftMs - (this.#now() - this.#waitingSince);
    return Math.max(0, Math.min(deadlineMs, leftMs));
  }

  #failed({ name }: CheckTerms, error: unknown): Stopped {
    this.#onSilence(name, { kind: "failed", error });
    return stopped(name, unanswered);
  }
}

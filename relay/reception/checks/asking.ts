/**
 * One session's questions to stages, and how long it waits for their answers.
 *
 * An answer that is there at once is taken at once. One that does not come within the stage's deadline, or that is a failure, is a
 * temporary refusal, counted and logged: the client comes again. When the session has ended nobody waits any more: what is
 * open is aborted, and ends as a refusal that nobody hears.
 */
import { after, isLater, type Answer } from "../../../runtime/answer.ts";
import { refusal } from "../../mail/reply.ts";
import { Look } from "./look.ts";
import type { ContentStage, MessageQuestion, Stage, Station } from "./stage.ts";
import { checked, combine, isStopped, pass, stopped, type Stopped, type Verdict } from "./verdict.ts";

/** There was no answer within the deadline, or the stage threw or rejected. */
export type Silence = { readonly kind: "overdue" } | { readonly kind: "failed"; readonly error: unknown };

/** RFC 3463 section 3.4: something of ours is in trouble, and may be well the next time. */
const unanswered = refusal(451, "4.3.0", "This cannot be checked now, try again later");

export class Asking {
  readonly #onSilence: (stage: string, silence: Silence) => void;
  /** Those that are waited for. */
  readonly #open = new Set<() => void>();
  #isOver = false;

  constructor(onSilence: (stage: string, silence: Silence) => void) {
    this.#onSilence = onSilence;
  }

  /** One after the other, until one defers or refuses. `soFar` is what is thought already: it may be that nobody need be asked. */
  ask<Question>(soFar: Verdict, stages: readonly Stage<Question>[], question: () => Question): Answer<Verdict> {
    if (stages.length === 0 || isStopped(soFar)) return soFar;
    return after(this.#askFrom(stages, 0, question()), (verdict) => combine(soFar, verdict));
  }

  #askFrom<Question>(stages: readonly Stage<Question>[], at: number, question: Question): Answer<Verdict> {
    const stage = stages[at];
    if (stage === undefined) return pass;
    const controller = new AbortController();
    const verdict = this.#hear(stage, controller, () => after(stage.judge(question, controller), checked));
    return after(verdict, (first) => {
      if (isStopped(first) || at + 1 === stages.length) return first;
      return after(this.#askFrom(stages, at + 1, question), (rest) => combine(first, rest));
    });
  }

  /** All that look at the content of this message; undefined when nobody does. */
  look(stages: readonly ContentStage[], question: () => MessageQuestion): Look | undefined {
    if (stages.length === 0) return undefined;
    const message = question();
    const glances = stages.map((stage) => {
      const controller = new AbortController();
      return {
        begin: () => stage.begin(message, controller),
        hear: <T>(listen: () => Answer<T>) => this.#hear(stage, controller, listen),
        giveUp: () => controller.abort(),
      };
    });
    return new Look(glances);
  }

  /** Nobody waits any more; more than once is once. */
  end(): void {
    this.#isOver = true;
    for (const giveUp of this.#open) giveUp();
  }

  /** What is said, or what it means that nothing is. */
  #hear<T>(stage: Station, controller: AbortController, listen: () => Answer<T>): Answer<T | Stopped> {
    try {
      const answer = listen();
      return isLater(answer) ? this.#wait(stage, controller, Promise.resolve(answer)) : answer;
    } catch (error) {
      return this.#failed(stage, error);
    }
  }

  async #wait<T>(stage: Station, controller: AbortController, answer: Promise<T>): Promise<T | Stopped> {
    const { promise: silence, resolve } = Promise.withResolvers<Stopped>();
    const giveUp = (): void => {
      controller.abort();
      resolve(stopped(stage.name, unanswered));
    };
    const time = setTimeout(() => {
      this.#onSilence(stage.name, { kind: "overdue" });
      giveUp();
    }, stage.deadlineMs);
    this.#open.add(giveUp);
    if (this.#isOver) giveUp();
    // What fails after that has nobody to tell, and is no news.
    const said = answer.catch((error: unknown) => (controller.signal.aborted ? silence : this.#failed(stage, error)));
    const heard = await Promise.race([silence, said]);
    clearTimeout(time);
    this.#open.delete(giveUp);
    return heard;
  }

  #failed({ name }: Station, error: unknown): Stopped {
    this.#onSilence(name, { kind: "failed", error });
    return stopped(name, unanswered);
  }
}

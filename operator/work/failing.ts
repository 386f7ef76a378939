/**
 * Looks that end in an error. One that goes on failing would leave the last status standing, as if all were well: after some
 * in a row the resource says by condition and event that it is not known how it is. A look that does not end at all is given
 * up after its deadline: its later writes are not sent, and the next one may begin.
 *
 * Where not even that can be written (a server that is away), the count alone tells, in the metrics.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { type Condition, setCondition } from "../../api/condition.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import type { SenderDomainStatus } from "../../api/senderdomain.ts";
import type { Timers } from "../../runtime/clock.ts";
import { type Kube, keyOf } from "../kube/kube.ts";
import { gistOf } from "./likeness.ts";

/** Failures in a row, after which the resource says so. */
export const toldAfter = 5;
/** A look that is well ends within seconds, also where pods do not answer; no request takes longer than half a minute. */
export const lookDeadlineMs = 120_000;
const longestReason = 1_000;

export interface Subject {
  readonly kind: "MailRelay" | "SenderDomain";
  readonly namespace: string;
  readonly name: string;
}

export interface FailingSettings {
  readonly kube: Pick<Kube, "applyStatus" | "get" | "misfit" | "emit">;
  /** As it is kept: caches leave out what only people read of it. Undefined where nobody has written one. */
  readonly wholeStatus: (subject: Subject) => Promise<MailRelayStatus | SenderDomainStatus | undefined>;
  readonly timers: Timers;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Hears why a failing resource could not be told so. */
  readonly onError: (subject: Subject, error: unknown) => void;
}

interface Failures {
  readonly kind: Subject["kind"];
  readonly count: number;
  /** What status says of them; undefined while it says nothing. */
  readonly said: string | undefined;
}

interface Look {
  isOver: boolean;
}

export class Failing {
  readonly #settings: FailingSettings;
  readonly #failures = new Map<string, Failures>();
  readonly #looks = new AsyncLocalStorage<Look>();

  constructor(settings: FailingSettings) {
    this.#settings = settings;
  }

  /** Resources of the kind that have failed so often in a row that they say so. */
  count(kind: Subject["kind"]): number {
    let count = 0;
    for (const one of this.#failures.values()) if (one.kind === kind && one.count >= toldAfter) count += 1;
    return count;
  }

  /** Whether who asks belongs to a look that was given up: what it would write is not wanted any more. */
  isGivenUp(): boolean {
    return this.#looks.getStore()?.isOver === true;
  }

  /** Resolves and rejects as the look does, or rejects at its deadline. */
  async follow<T>(subject: Subject, look: () => Promise<T>): Promise<T> {
    try {
      const outcome = await this.#withDeadline(look);
      this.#failures.delete(keyOf(subject));
      return outcome;
    } catch (error) {
      await this.#failed(subject, error);
      throw error;
    }
  }

  async #withDeadline<T>(look: () => Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const mine: Look = { isOver: false };
    const callOff = this.#settings.timers.after(lookDeadlineMs, () => {
      mine.isOver = true;
      reject(new Error(`the look did not end within ${lookDeadlineMs / 1000} s and is given up`));
    });
    const ended = this.#looks.run(mine, look);
    // One that was given up may still fail, and nobody waits for it.
    ended.catch(() => undefined);
    try {
      return await Promise.race([ended, late]);
    } finally {
      callOff();
    }
  }

  async #failed(subject: Subject, error: unknown): Promise<void> {
    // Not sent, because this process stops or may not write any more: that says nothing about the resource.
    if (isOwnEnd(error)) return;
    const key = keyOf(subject);
    const last = this.#failures.get(key);
    const count = (last?.count ?? 0) + 1;
    this.#failures.set(key, { kind: subject.kind, count, said: last?.said });
    if (count < toldAfter) return;
    const why = (error instanceof Error ? error.message : String(error)).slice(0, longestReason);
    if (last?.said !== undefined && gistOf(last.said) === gistOf(why)) return;
    try {
      await this.#tell(subject, why);
      this.#failures.set(key, { kind: subject.kind, count, said: why });
    } catch (failure) {
      this.#settings.onError(subject, failure);
    }
  }

  async #tell(subject: Subject, why: string): Promise<void> {
    const { kube, now } = this.#settings;
    const { kind, namespace, name } = subject;
    const object = (await kube.get(kind, namespace, name)) ?? (await kube.misfit(kind, namespace, name));
    if (object === undefined) return;
    const message = `the last ${toldAfter} looks ended in an error, and what runs goes on as it was: ${why}`;
    await kube.emit({ regarding: subject, type: "Warning", reason: "ReconcileFailing", note: `Ready: ${message}` });
    const status = (await this.#settings.wholeStatus(subject)) ?? {};
    const conditions = failingConditions(status.conditions ?? [], message, now());
    await kube.applyStatus(kind, object, { ...status, conditions: [...conditions] });
  }
}

/** Nothing that was judged before is taken back; but whether it is still so is not known. */
function failingConditions(before: readonly Condition[], message: string, now: number): readonly Condition[] {
  const judgements = [
    { type: "Ready", status: "Unknown", reason: "ReconcileFailing", message },
    { type: "Reconciling", status: "True", reason: "ReconcileFailing", message },
    { type: "Stalled", status: "False", reason: "Settled", message: "the operator tries again" },
  ] as const;
  return judgements.reduce<readonly Condition[]>((list, one) => setCondition(list, one, now), before);
}

function isOwnEnd(error: unknown): boolean {
  return error instanceof Error && "kind" in error && (error.kind === "Fenced" || error.kind === "Stopped");
}

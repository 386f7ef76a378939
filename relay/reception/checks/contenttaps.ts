/**
 * All checks of one message's content: the same octets for each as they come, at the pace of the slowest, and one verdict at the end.
 *
 * A check that fails or is overdue is given nothing more: that is its verdict. It stops nobody else.
 */
import { after, type Answer } from "../../../runtime/answer.ts";
import type { ContentTap, Tap } from "./check.ts";
import { validated, combine, pass, type Stopped, type Verdict } from "./verdict.ts";

/** How one check is begun, listened to and given up. */
export interface Listening {
  readonly begin: () => ContentTap | undefined;
  /** Bounds what is waited for; never throws nor rejects. */
  readonly hear: <T>(listen: () => Answer<T>) => Answer<T | Stopped>;
  /** Nobody waits for it any more. */
  readonly giveUp: () => void;
}

export class ContentTaps implements Tap {
  readonly #taps: readonly GuardedTap[];

  constructor(listenings: readonly Listening[]) {
    this.#taps = listenings.map((listening) => new GuardedTap(listening));
  }

  write(chunk: Buffer): Answer<void> {
    return this.#taps
      .map((tap) => tap.write(chunk))
      .reduce<Answer<void>>((all, one) => after(all, () => one), undefined);
  }

  /** Every one is heard: a later one may know better than the first that says no. */
  verdict(): Answer<Verdict> {
    return this.#taps
      .map((tap) => tap.verdict())
      .reduce<Answer<Verdict>>((all, one) => after(all, (first) => after(one, (next) => combine(first, next))), pass);
  }

  /** The message is not kept, whatever they would say. */
  giveUp(): void {
    for (const tap of this.#taps) tap.giveUp();
  }
}

class GuardedTap implements ContentTap {
  readonly #listening: Listening;
  /** Undefined when it has no business with the message, or no more. */
  #tap: ContentTap | undefined;
  #failed: Stopped | undefined;

  constructor(listening: Listening) {
    this.#listening = listening;
    const begun = listening.hear(() => {
      this.#tap = listening.begin();
      return undefined;
    });
    void after(begun, (failed) => this.#note(failed));
  }

  write(chunk: Buffer): Answer<void> {
    const tap = this.#tap;
    if (tap === undefined) return undefined;
    const written = this.#listening.hear(() => after(tap.write(chunk), () => undefined));
    return after(written, (failed) => this.#note(failed));
  }

  verdict(): Answer<Verdict> {
    const tap = this.#tap;
    return this.#failed ?? (tap === undefined ? pass : this.#listening.hear(() => after(tap.verdict(), validated)));
  }

  giveUp(): void {
    this.#tap = undefined;
    this.#listening.giveUp();
  }

  #note(failed: Stopped | undefined): void {
    if (failed === undefined) return;
    this.#failed = failed;
    this.giveUp();
  }
}

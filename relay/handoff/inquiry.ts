/**
 * Offers whose end nobody told: a process before this one died in them, or the connection did. The peer is asked until it
 * answers.
 *
 * Promise: a message leaves the spool only when the peer has it. When the peer does not answer for an hour the message is taken
 * back, because mail that waits for ever is lost; the peer may have it as well, so that it may be delivered twice.
 */
import type { Chance } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { HandoffSpool, OpenOffer } from "../spool/offers.ts";
import type { HandoffClient } from "./client.ts";
import { restMs } from "./spread.ts";

export interface InquiryOptions {
  readonly spool: Pick<HandoffSpool, "takeBack">;
  readonly client: Pick<HandoffClient, "ask">;
  /** The peer has it: what it takes to forget it here. */
  readonly finish: (open: OpenOffer) => Promise<void>;
  /** A message may be offered again, or delivered when it is due. */
  readonly onReturn: (dueAt: number) => void;
  /** Milliseconds, monotonic: a wall clock that is set forward must not end the wait for a peer. */
  readonly monotonic: () => number;
  readonly chance: Chance;
  readonly log: Log;
}

const giveUpAfterMs = 3_600_000;

export class Inquiries {
  readonly #options: InquiryOptions;
  readonly #open = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: InquiryOptions) {
    this.#options = options;
  }

  /** Offers whose end is not known. */
  get count(): number {
    return this.#open.size;
  }

  add(open: OpenOffer): void {
    const inquiry: Promise<void> = this.#settle(open).finally(() => this.#open.delete(inquiry));
    this.#open.add(inquiry);
  }

  /** The offers stay open: the next start asks on. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#open);
  }

  /** Never rejects. */
  async #settle(open: OpenOffer): Promise<void> {
    const { monotonic, chance, log } = this.#options;
    const startedAt = monotonic();
    for (let failures = 0; !this.#closing.signal.aborted; failures += 1) {
      try {
        if (await this.#tryToSettle(open, startedAt)) return;
      } catch (error) {
        log.error({ spoolId: open.id, error: String(error) }, "could not end an offer in the spool");
      }
      await this.#pause(restMs(failures, chance()));
    }
  }

  async #tryToSettle(open: OpenOffer, startedAt: number): Promise<boolean> {
    const { spool, client, finish, onReturn, monotonic, log } = this.#options;
    const { id, offer, peer } = open;
    const answer = await client.ask({ id, offer }, peer);
    if (answer.kind === "has it") {
      await finish(open);
      return true;
    }
    if (answer.kind === "unknown") {
      if (monotonic() - startedAt < giveUpAfterMs) return false;
      log.warn(
        { spoolId: id, peer: peer.name, reason: answer.reason },
        "a message is taken back, its peer may have it",
      );
    }
    onReturn(await spool.takeBack(id));
    return true;
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const stop = (): void => resolve();
    this.#closing.signal.addEventListener("abort", stop, { once: true });
    await promise;
    clearTimeout(timer);
    this.#closing.signal.removeEventListener("abort", stop);
  }
}

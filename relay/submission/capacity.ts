/**
 * Whether there is room for more: connections, in all and of each client over all listeners; and the spool.
 *
 * The spool is not asked for every message: the answer is at most a second old while there is room, and asked afresh while
 * there is none. A commit is refused by the spool itself, whatever is said here.
 */
import type { Clock } from "../../runtime/clock.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import type { Spool } from "../spool/spool.ts";

export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerClient: number;
}

export class ConnectionCount {
  readonly #byClient = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Counts the connection, or says why there may not be another; a refused one is not counted. */
  open(client: string, limits: ConnectionLimits): Refusal | undefined {
    const own = this.#byClient.get(client) ?? 0;
    if (this.#total >= limits.connections) return refusal(421, "4.3.2", "Too many connections, try again later");
    if (own >= limits.connectionsPerClient) {
      return refusal(421, "4.7.0", "Too many connections from your address, try again later");
    }
    this.#total += 1;
    this.#byClient.set(client, own + 1);
    return undefined;
  }

  close(client: string): void {
    const own = this.#byClient.get(client) ?? 0;
    this.#total -= 1;
    if (own > 1) this.#byClient.set(client, own - 1);
    else this.#byClient.delete(client);
  }
}

const freshMs = 1000;

export class Fullness {
  readonly #spool: Pick<Spool, "depth">;
  readonly #clock: Clock;
  #full = false;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(spool: Pick<Spool, "depth">, clock: Clock) {
    this.#spool = spool;
    this.#clock = clock;
  }

  async isFull(): Promise<boolean> {
    const now = this.#clock.now();
    const stale = now - this.#askedAt >= freshMs;
    if (this.#full || this.#askedAt === Number.NEGATIVE_INFINITY) await this.#ask(now);
    // With room left the next message need not wait for the answer.
    else if (stale) this.#ask(now).catch(() => undefined);
    return this.#full;
  }

  async #ask(now: number): Promise<void> {
    this.#askedAt = now;
    try {
      this.#full = (await this.#spool.depth(now)).full;
    } catch {
      // A spool that cannot tell decides at the commit; the answer from before stands until then.
    }
  }
}

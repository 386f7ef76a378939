/**
 * Renews the claims of what is in memory, so that the spool takes back what delivery has forgotten: an attempt that ended in an
 * exception, a result that got lost. However long a delivery takes, its message is held, named in each round and not lost.
 *
 * On failure of the spool the round is asked again: nothing lapses meanwhile.
 */
import type { Log } from "../../../runtime/log.ts";
import type { SpoolId } from "../../spool/message/id.ts";
import type { Spool } from "../../spool/verbs.ts";

export interface LeasesOptions {
  readonly spool: Pick<Spool, "renew">;
  readonly log: Log;
  readonly held: () => readonly SpoolId[];
  /** Claims came to their end: the first of their recipients is due then. */
  readonly onLapsed: (dueAt: number) => void;
  readonly roundMs: number;
}

/** What is forgotten comes back after two rounds, or when its registered attempt is due if that is later: a minute at least. */
export const leaseRoundMs = 30_000;

export class Leases {
  readonly #options: LeasesOptions;
  #round = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#renew()
        .catch((error: unknown) => {
          this.#options.log.error({ error: String(error) }, "could not renew the claims of what is in delivery");
        })
        .then(
          () => this.start(),
          () => undefined,
        );
    }, this.#options.roundMs).unref();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #renew(): Promise<void> {
    const { spool, log, held, onLapsed } = this.#options;
    this.#round += 1;
    const { messages, dueAt } = await spool.renew(this.#round, held());
    if (messages > 0) log.error({ messages }, "messages that delivery had forgotten are in the queue again");
    if (dueAt !== undefined) onLapsed(dueAt);
  }
}

/**
 * Writes what became of attempts, and does not give up: an outcome that is forgotten is a message that is sent twice.
 *
 * On failure it is tried again until it is durable. What concerns the whole spool (a full disk, a lock, an I/O error) stops all
 * new attempts until it is over. What concerns one outcome alone (its rows are damaged, its notice cannot be kept) stops nobody
 * else: it holds its place in flight, is counted, and is tried again ever less often. A claim that was lost is let go.
 */
import type { Log } from "../../../runtime/log.ts";
import type { DeliveryMetrics, UnwrittenCause } from "../metrics.ts";
import type { Outcomes } from "../../spool/verbs.ts";
import { settleAndStart, type Starter } from "../../spool/start.ts";
import { ClaimLostError, OutcomeRefusedError, type Spool } from "../../spool/verbs.ts";
import { failToWrite, type Job } from "./job.ts";

export interface OutcomeWriterOptions {
  readonly spool: Pick<Spool, "settle">;
  /** Starts on notices at once while there is room. */
  readonly starter: Starter;
  readonly log: Log;
  readonly metrics: Pick<DeliveryMetrics, "outcomesUnwritten">;
}

/** After trouble with the spool. */
export const spoolPauseMs = 1_000;
/** Doubled up to here for an outcome that is refused for itself. */
const longestPauseMs = 60_000;

export class OutcomeWriter {
  readonly #options: OutcomeWriterOptions;
  readonly #unwritten: Record<UnwrittenCause, number> = { spool: 0, outcome: 0 };
  readonly #pauses = new Set<() => void>();
  #isClosing = false;
  #givenUp = false;

  constructor(options: OutcomeWriterOptions) {
    this.#options = options;
  }

  /** No outcome can be written now: whatever is sent would be forgotten with the process. */
  get isBlocked(): boolean {
    return this.#unwritten.spool > 0;
  }

  /** What cannot be written for itself is given up from now on; what waits for the spool is tried until giveUp(). */
  close(): void {
    this.#isClosing = true;
    this.#wake();
  }

  /** From here on nothing is settled: attempts stay registered, and the next start takes them up. */
  giveUp(): void {
    this.#givenUp = true;
    this.#wake();
  }

  /** Resolves with true once it is durable; with false when it never will be by this process. Never rejects. */
  async write(job: Job, outcomes: Outcomes): Promise<boolean> {
    let cause: UnwrittenCause | undefined;
    try {
      for (let tries = 1; !this.#givenUp; tries += 1) {
        const failure = await this.#try(outcomes);
        if (failure === undefined) return true;
        this.#count(cause, -1);
        cause = causeOf(failure);
        this.#count(cause, 1);
        if (cause === undefined)
          this.#tell(outcomes, failure, "an outcome comes too late: its message is not held any more");
        if (cause === undefined || (cause === "outcome" && this.#isClosing)) return false;
        failToWrite(job);
        if (isWorthALine(tries)) this.#tell(outcomes, failure, words[cause]);
        await this.#pause(cause === "spool" ? spoolPauseMs : Math.min(spoolPauseMs * 2 ** (tries - 1), longestPauseMs));
      }
      return false;
    } finally {
      this.#count(cause, -1);
    }
  }

  async #try(outcomes: Outcomes): Promise<Error | undefined> {
    try {
      await settleAndStart(this.#options, outcomes);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #count(cause: UnwrittenCause | undefined, by: 1 | -1): void {
    if (cause === undefined) return;
    this.#unwritten[cause] += by;
    this.#options.metrics.outcomesUnwritten(cause, this.#unwritten[cause]);
  }

  #tell({ id }: Outcomes, error: Error, what: string): void {
    this.#options.log.error({ spoolId: id, error: String(error) }, what);
  }

  async #pause(ms: number): Promise<void> {
    if (this.#givenUp) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#pauses.add(end);
    });
  }

  #wake(): void {
    for (const end of this.#pauses) end();
  }
}

const words: Readonly<Record<UnwrittenCause, string>> = {
  spool: "could not write an outcome; deliveries pause until it is written",
  outcome: "an outcome cannot be written; it is kept in memory and tried again",
};

/** Undefined: there is nothing to be written any more. */
function causeOf(error: Error): UnwrittenCause | undefined {
  if (error instanceof ClaimLostError) return undefined;
  return error instanceof OutcomeRefusedError ? "outcome" : "spool";
}

/** Sixty outcomes that are tried each second would drown the log: the first try has a line, then the second, fourth, eighth. */
function isWorthALine(tries: number): boolean {
  return Number.isInteger(Math.log2(tries));
}

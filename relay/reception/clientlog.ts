/**
 * What a client can cause at will: lines of the log, so many of each client, so many of all, and then only how many there were.
 *
 * A line costs more than the command that causes it: whoever may write the log fills disks and hides what others did. Metrics
 * count everything. A client that has used up its rate is loud, and is served more slowly until it is quiet for a while.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";

export interface LineRate {
  readonly burst: number;
  readonly perSecond: number;
}

export interface LineRates {
  readonly client: LineRate;
  readonly all: LineRate;
}

const usualRates: LineRates = { client: { burst: 50, perSecond: 5 }, all: { burst: 500, perSecond: 100 } };
/** The least recently heard is forgotten first, and begins anew. */
const rememberedClients = 10_000;
const summaryMs = 10_000;

interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** What is left after one more line; undefined when it may not be written. */
function spend(bucket: Bucket | undefined, rate: LineRate, now: number): Bucket | undefined {
  const since = Math.max(0, now - (bucket?.at ?? now)) / 1000;
  const tokens = Math.min(rate.burst, (bucket?.tokens ?? rate.burst) + since * rate.perSecond);
  return tokens < 1 ? undefined : { tokens: tokens - 1, at: now };
}

export class ClientLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #rates: LineRates;
  readonly #clients = new Map<string, Bucket>();
  #all: Bucket | undefined;
  #withheld = 0;
  #summary: NodeJS.Timeout | undefined;

  constructor(log: Log, clock: Clock, rates: LineRates = usualRates) {
    this.#log = log;
    this.#clock = clock;
    this.#rates = rates;
  }

  info(client: string, fields: object, message: string): void {
    if (this.#may(client)) this.#log.info(fields, message);
  }

  debug(client: string, fields: object, message: string): void {
    if (this.#log.isLevelEnabled("debug") && this.#may(client)) this.#log.debug(fields, message);
  }

  /** Something happened that no line tells of, such as a session that ended without a login. */
  disturbed(client: string): "within its rate" | "loud" {
    return this.#spend(client, this.#clock.now()) ? "within its rate" : "loud";
  }

  isLoud(client: string): boolean {
    const bucket = this.#clients.get(client);
    return bucket !== undefined && spend(bucket, this.#rates.client, this.#clock.now()) === undefined;
  }

  /** Says what is still to be said. */
  close(): void {
    clearTimeout(this.#summary);
    this.#summarize();
  }

  #may(client: string): boolean {
    const now = this.#clock.now();
    const isWithin = this.#spend(client, now);
    const all = isWithin ? spend(this.#all, this.#rates.all, now) : undefined;
    if (all === undefined) {
      this.#withheld += 1;
      this.#summary ??= setTimeout(() => this.#summarize(), summaryMs).unref();
      return false;
    }
    this.#all = all;
    return true;
  }

  #spend(client: string, now: number): boolean {
    const own = spend(this.#clients.get(client), this.#rates.client, now);
    if (own === undefined) return false;
    this.#clients.delete(client);
    this.#clients.set(client, own);
    const [oldest] = this.#clients.keys();
    if (this.#clients.size > rememberedClients && oldest !== undefined) this.#clients.delete(oldest);
    return true;
  }

  #summarize(): void {
    this.#summary = undefined;
    if (this.#withheld > 0)
      this.#log.warn({ lines: this.#withheld }, "lines about clients withheld: there were too many");
    this.#withheld = 0;
  }
}

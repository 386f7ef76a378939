/**
 * How old the messages are that wait, and how the objective went: counted as messages come, grow older and go, because asking a
 * million rows at each scrape would hold up commits. Runs in the writer thread.
 *
 * Each message is judged once. It was in time when its last recipient had a final outcome before it was five minutes old; it is
 * late from the moment at which it is five minutes old and is not through, whatever becomes of it. So a look counts what has
 * crossed the five minutes since the look before, and the time up to which all is judged stands in the file: a process that ends
 * between two looks leaves its messages to the next one, and none is counted by both. Where the disk refuses that time, counting
 * goes on, and only a crash before the disk takes it again counts some messages twice.
 *
 * What delivery holds since its acceptance stands in no flow, and so in no index: it is counted from the claims. A message that is
 * offered to another pod is judged by the one that ends up with it, and what is set aside waits for a person and not for us.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ages, agesMs, type Age, type OlderThan, type Waiting, type WaitingLine } from "../../queue.ts";
import { longest } from "./census.ts";
import type { Claim, Claims } from "./claims.ts";
import { dueNever } from "./schema.ts";

export interface AgedMessage {
  /** Sender domain. */
  readonly domain: string;
  /** ms since the epoch. */
  readonly acceptedAt: number;
}

/** How a message stops to wait here. */
export type Leaving =
  | { readonly kind: "final"; readonly at: number }
  /** It was not to be delivered: neither in time nor late. */
  | { readonly kind: "captured"; readonly at: number }
  /** Nothing of it is sent any more, and it stays. */
  | { readonly kind: "set aside" }
  /** Another pod judges it. */
  | { readonly kind: "handed over" };

/** Domains and the number of their messages. */
type Crossing = readonly (readonly [domain: string, messages: number])[];

const objectiveMs = agesMs["5m"];
/** A clock that was set back by more than this begins anew; by less, it catches up. */
const slackMs = 60_000;
const judgedKey = "judged_until";

export class Ages {
  readonly #olderThan: Readonly<Record<Age, Map<string, number>>> = {
    "5m": new Map(),
    "1h": new Map(),
    "1d": new Map(),
  };
  readonly #crossed: StatementSync;
  readonly #older: StatementSync;
  readonly #oldest: StatementSync;
  readonly #oldestOfDomain: StatementSync;
  readonly #anyFlow: StatementSync;
  readonly #writeJudged: StatementSync;
  readonly #claims: Pick<Claims, "values">;
  /** Why the last look failed. */
  #failure: Error | undefined;
  #lookedAt: number;
  /** As it stands in the file. */
  #judgedInFile: number;
  /** Messages up to a later time than that are judged. */
  #isFileBehind = false;
  #inTime = 0;
  #late = 0;

  /** After resume(): every recipient stands in its flow then. */
  constructor(database: DatabaseSync, now: number, claims: Pick<Claims, "values">) {
    this.#claims = claims;
    this.#crossed = database.prepare(
      `SELECT sender_domain AS domain, count(DISTINCT seq) AS messages,
         count(DISTINCT iif(seq IN (SELECT seq FROM offered), NULL, seq)) AS judged
       FROM recipient INDEXED BY recipient_age
       WHERE sender_domain IS NOT NULL AND accepted_at > ? AND accepted_at <= ? GROUP BY sender_domain`,
    );
    this.#older = database.prepare(
      `SELECT sender_domain AS domain, count(DISTINCT seq) AS messages FROM recipient INDEXED BY recipient_domain_age
       WHERE sender_domain IS NOT NULL AND accepted_at <= ? GROUP BY sender_domain`,
    );
    this.#oldest = database.prepare(
      `SELECT accepted_at FROM recipient INDEXED BY recipient_age
       WHERE sender_domain IS NOT NULL AND accepted_at < ${dueNever} ORDER BY accepted_at LIMIT 1`,
    );
    this.#oldestOfDomain = database.prepare(
      `SELECT accepted_at FROM recipient INDEXED BY recipient_domain_age
       WHERE sender_domain = ? AND accepted_at < ${dueNever} ORDER BY accepted_at LIMIT 1`,
    );
    this.#anyFlow = database.prepare("SELECT 1 FROM recipient WHERE seq = ? AND sender_domain IS NOT NULL LIMIT 1");
    this.#writeJudged = database.prepare("INSERT OR REPLACE INTO spool (key, value) VALUES (?, ?)");
    const written = database.prepare("SELECT value FROM spool WHERE key = ?").get(judgedKey);
    const kept = written === undefined ? undefined : Number(written["value"]);
    // A file of the release before, or a clock that was far ahead: what is older now counts as judged.
    this.#isFileBehind = kept === undefined || !(kept <= now);
    this.#judgedInFile = this.#isFileBehind || kept === undefined ? now - objectiveMs : kept;
    this.#lookedAt = Math.max(now, this.#judgedInFile + objectiveMs);
    this.#recount();
    this.#judgeSince(this.#judgedInFile);
    this.#keepJudged();
  }

  /** Goes on to `now`, outside of a transaction: what it learns is true whatever becomes of one. What fails, waiting() tells. */
  look(now: number): void {
    this.#failure = undefined;
    try {
      if (now < this.#lookedAt - slackMs) {
        this.#lookedAt = now;
        this.#isFileBehind = true;
        this.#recount();
      } else if (now > this.#lookedAt) this.#advance(now);
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
    }
    this.#keepJudged();
  }

  /** A message is in the spool, inside a transaction; `isJudged` when another pod has judged it. Returns how to undo that. */
  came(message: AgedMessage, isJudged: boolean): () => void {
    this.#count(message, 1);
    const undoJudgement = isJudged ? this.#keepUpTo(message.acceptedAt) : this.#judgeLate(message.acceptedAt);
    return () => {
      this.#count(message, -1);
      undoJudgement();
    };
  }

  /** The same of one that stops to wait. */
  left(message: AgedMessage, leaving: Leaving): () => void {
    this.#count(message, -1);
    const isOurs = leaving.kind === "final" || leaving.kind === "set aside";
    const isOpen = isOurs && message.acceptedAt > this.#judgedUntil;
    const isLate = isOpen && (leaving.kind === "set aside" || message.acceptedAt <= leaving.at - objectiveMs);
    const isInTime = isOpen && !isLate;
    this.#late += Number(isLate);
    this.#inTime += Number(isInTime);
    return () => {
      this.#count(message, 1);
      this.#late -= Number(isLate);
      this.#inTime -= Number(isInTime);
    };
  }

  /** An offer came to nothing, inside a transaction. What became late meanwhile nobody has judged. */
  returned(acceptedAt: number, offeredAt: number | undefined): () => void {
    const wasJudged = offeredAt === undefined || acceptedAt <= offeredAt - objectiveMs;
    return wasJudged ? () => undefined : this.#judgeLate(acceptedAt);
  }

  /** As of the last look; the `limit` domains with most messages over five minutes have a line. */
  waiting(limit: number): Waiting {
    if (this.#failure !== undefined) throw this.#failure;
    const fresh = this.#oldestFresh();
    const domains = longest(this.#olderThan["5m"], limit).longest.map(({ domain }) => this.#line(domain, fresh));
    const olderThan = this.#sums();
    const others = byAge((age) => domains.reduce((left, line) => left - line.olderThan[age], olderThan[age]));
    const times = [timeIn(this.#oldest.get()), ...fresh.values()];
    return {
      objective: { inTime: this.#inTime, late: this.#late },
      oldestAcceptedAt: earliest(times),
      olderThan,
      domains,
      others,
    };
  }

  get #judgedUntil(): number {
    return this.#lookedAt - objectiveMs;
  }

  #advance(now: number): void {
    const claims = this.#inNoFlow(now - objectiveMs);
    let late = 0;
    const found = ages.map((age): readonly [Age, Crossing] => {
      const [after, until] = [this.#lookedAt - agesMs[age], now - agesMs[age]];
      const rows = this.#crossed.all(after, until);
      const fresh = claims.filter(({ acceptedAt }) => acceptedAt > after && acceptedAt <= until);
      if (age === "5m") late = rows.reduce((sum, row) => sum + Number(row["judged"]), fresh.length);
      const crossing = rows.map((row) => [String(row["domain"]), Number(row["messages"])] as const);
      return [age, [...crossing, ...fresh.map(({ domain }) => [domain, 1] as const)]];
    });
    // Only now: a read that fails leaves all of it to the next look.
    for (const [age, crossing] of found)
      for (const [domain, messages] of crossing) bump(this.#olderThan[age], domain, messages);
    this.#late += late;
    this.#isFileBehind ||= late > 0;
    this.#lookedAt = now;
  }

  #recount(): void {
    const claims = this.#inNoFlow(this.#judgedUntil);
    for (const age of ages) {
      const until = this.#lookedAt - agesMs[age];
      const counts = this.#olderThan[age];
      counts.clear();
      for (const row of this.#older.iterate(until)) bump(counts, String(row["domain"]), Number(row["messages"]));
      for (const { domain, acceptedAt } of claims) if (acceptedAt <= until) bump(counts, domain, 1);
    }
  }

  /** What became late while no process was here. */
  #judgeSince(kept: number): void {
    const rows = this.#crossed.all(kept, this.#judgedUntil);
    const late = rows.reduce((sum, row) => sum + Number(row["judged"]), 0);
    this.#late += late;
    this.#isFileBehind ||= late > 0;
  }

  /** Late, unless a look will find it. */
  #judgeLate(acceptedAt: number): () => void {
    if (acceptedAt > this.#judgedUntil) return () => undefined;
    this.#late += 1;
    const undoKeeping = this.#keepUpTo(acceptedAt);
    return () => {
      this.#late -= 1;
      undoKeeping();
    };
  }

  /** Nobody may judge it again after the next start: its transaction takes the time along. */
  #keepUpTo(acceptedAt: number): () => void {
    const before = this.#judgedInFile;
    if (acceptedAt <= before || acceptedAt > this.#judgedUntil) return () => undefined;
    this.#writeJudged.run(judgedKey, String(this.#judgedUntil));
    this.#judgedInFile = this.#judgedUntil;
    return () => {
      this.#judgedInFile = before;
    };
  }

  #keepJudged(): void {
    if (!this.#isFileBehind) return;
    try {
      this.#writeJudged.run(judgedKey, String(this.#judgedUntil));
    } catch {
      // A full disk: the next look tries again.
      return;
    }
    this.#judgedInFile = this.#judgedUntil;
    this.#isFileBehind = false;
  }

  #count({ domain, acceptedAt }: AgedMessage, by: 1 | -1): void {
    for (const age of ages) if (acceptedAt <= this.#lookedAt - agesMs[age]) bump(this.#olderThan[age], domain, by);
  }

  #line(domain: string, fresh: ReadonlyMap<string, number>): WaitingLine {
    const times = [timeIn(this.#oldestOfDomain.get(domain)), fresh.get(domain)];
    return {
      domain,
      olderThan: byAge((age) => this.#olderThan[age].get(domain) ?? 0),
      oldestAcceptedAt: earliest(times),
    };
  }

  /** What no index has of that time and before. */
  #inNoFlow(until: number): readonly Claim[] {
    const fresh = [...this.#claims.values()].filter(({ isFresh, acceptedAt }) => isFresh && acceptedAt <= until);
    return fresh.filter(({ seq }) => this.#anyFlow.get(seq) === undefined);
  }

  #sums(): OlderThan {
    return byAge((age) => {
      let sum = 0;
      for (const messages of this.#olderThan[age].values()) sum += messages;
      return sum;
    });
  }

  /** Of those that delivery holds since their acceptance, by domain. */
  #oldestFresh(): ReadonlyMap<string, number> {
    const oldest = new Map<string, number>();
    for (const { isFresh, domain, acceptedAt } of this.#claims.values()) {
      if (isFresh && acceptedAt < (oldest.get(domain) ?? Number.MAX_VALUE)) oldest.set(domain, acceptedAt);
    }
    return oldest;
  }
}

function byAge(value: (age: Age) => number): OlderThan {
  return { "5m": value("5m"), "1h": value("1h"), "1d": value("1d") };
}

function bump(counts: Map<string, number>, domain: string, by: number): void {
  const sum = (counts.get(domain) ?? 0) + by;
  if (sum === 0) counts.delete(domain);
  else counts.set(domain, sum);
}

function timeIn(row: Readonly<Record<string, unknown>> | undefined): number | undefined {
  return row === undefined ? undefined : Number(row["accepted_at"]);
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce((first, time) => (time === undefined || (first ?? time) < time ? first : time), undefined);
}

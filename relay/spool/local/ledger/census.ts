/**
 * How many recipients wait, by sender domain and by their own domain: counted as they come and go, because counting a million
 * rows at each scrape would hold up commits. Runs in the writer thread.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Census, CensusLine } from "../../queue.ts";

/** Recipients looked at for the oldest due of each sender: some milliseconds. */
const oldestLooked = 1_000;

export class Counts {
  readonly #senders = new Map<string, number>();
  readonly #destinations = new Map<string, number>();
  readonly #oldest: StatementSync;

  /** After resume(): every recipient stands in its flow then. */
  constructor(database: DatabaseSync) {
    const flows = database.prepare(
      "SELECT sender_domain, destination, count(*) AS recipients FROM recipient WHERE sender_domain IS NOT NULL GROUP BY sender_domain, destination",
    );
    for (const row of flows.iterate()) {
      this.add(String(row["sender_domain"]), String(row["destination"]), Number(row["recipients"]));
    }
    this.#oldest = database.prepare(
      `SELECT domain, min(due_at) AS due_at FROM
         (SELECT due_at, (SELECT domain FROM message WHERE message.seq = recipient.seq) AS domain
            FROM recipient WHERE due_at <= ? ORDER BY due_at LIMIT ${oldestLooked})
       GROUP BY domain`,
    );
  }

  add(sender: string, destination: string, recipients: number): void {
    bump(this.#senders, sender, recipients);
    bump(this.#destinations, destination, recipients);
  }

  /** The `limit` longest queues of each kind, and the sum of the others. */
  census(now: number, limit: number): Census {
    const oldest = this.#oldest
      .all(now)
      .map((row) => ({ domain: String(row["domain"]), dueAt: Number(row["due_at"]) }));
    return { senders: longest(this.#senders, limit), destinations: longest(this.#destinations, limit), oldest };
  }
}

function bump(counts: Map<string, number>, name: string, by: number): void {
  const sum = (counts.get(name) ?? 0) + by;
  if (sum === 0) counts.delete(name);
  else counts.set(name, sum);
}

/** One pass that keeps the longest so far: sorting 100,000 destinations would take longer than a commit. */
export function longest(counts: ReadonlyMap<string, number>, limit: number): Census["senders"] {
  let kept: CensusLine[] = [];
  let floor = 0;
  let others = 0;
  for (const [domain, recipients] of counts) {
    others += recipients;
    if (recipients <= floor) continue;
    kept.push({ domain, recipients });
    if (kept.length < limit * 2) continue;
    kept = largest(kept, limit);
    floor = kept.at(-1)?.recipients ?? 0;
  }
  kept = largest(kept, limit);
  return { longest: kept, others: kept.reduce((left, { recipients }) => left - recipients, others) };
}

function largest(lines: readonly CensusLine[], limit: number): CensusLine[] {
  return lines.toSorted((a, b) => b.recipients - a.recipients || (a.domain < b.domain ? -1 : 1)).slice(0, limit);
}

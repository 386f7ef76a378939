/**
 * Which due recipients are handed out when some senders or destinations have their share in delivery already: flows take
 * turns, so that a million messages to one dead destination are passed over in one step and not one by one.
 *
 * Promise: a bounded number of flows is looked at in one call; the next call goes on where this one ended.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { PassOver } from "../../verbs.ts";

export interface FlowQuestion {
  readonly now: number;
  /** Messages. */
  readonly limit: number;
  readonly recipients: number;
  readonly passOver: PassOver;
  readonly isClaimed: (seq: number, index: number) => boolean;
}

interface Flow {
  readonly sender: string;
  readonly destination: string;
}

/** Flows looked at in one call: some milliseconds. */
const flowsPerCall = 500;
/** Recipients of one flow in the first round; twice as many in each further one. */
const recipientsPerTurn = 10;

export class Flows {
  readonly #nextFlow: StatementSync;
  readonly #nextSender: StatementSync;
  readonly #dueInFlow: StatementSync;
  #at: Flow = { sender: "", destination: "" };

  constructor(database: DatabaseSync) {
    const next = (condition: string): StatementSync =>
      database.prepare(
        `SELECT sender_domain, destination FROM recipient WHERE sender_domain IS NOT NULL AND ${condition} ORDER BY sender_domain, destination LIMIT 1`,
      );
    // Not as one comparison of pairs: SQLite would begin at the flow itself and read all of it.
    this.#nextFlow = next("sender_domain = ? AND destination > ?");
    this.#nextSender = next("sender_domain > ?");
    this.#dueInFlow = database.prepare(
      "SELECT seq, idx FROM recipient WHERE sender_domain = ? AND destination = ? AND due_at <= ? ORDER BY due_at LIMIT ?",
    );
  }

  /** Sequence numbers of messages with recipients that are due and not passed over. */
  pick({ now, limit, recipients, passOver, isClaimed }: FlowQuestion): ReadonlySet<number> {
    const senders = new Set(passOver.senders);
    const destinations = new Set(passOver.destinations);
    const found = new Set<number>();
    let turn = recipientsPerTurn;
    let foundBefore = -1;
    let left = recipients;
    for (let looked = 0; looked < flowsPerCall && found.size < limit && left > 0; looked += 1) {
      const flow = this.#next(senders.has(this.#at.sender));
      if (flow === undefined) {
        // Round again, unless a whole round brought nothing.
        if (found.size === foundBefore) break;
        foundBefore = found.size;
        turn *= foundBefore === 0 ? 1 : 2;
        continue;
      }
      if (senders.has(flow.sender) || destinations.has(flow.destination)) continue;
      for (const row of this.#dueInFlow.iterate(flow.sender, flow.destination, now, turn)) {
        const seq = Number(row["seq"]);
        if (found.size >= limit || left <= 0 || isClaimed(seq, Number(row["idx"]))) continue;
        found.add(seq);
        left -= 1;
      }
    }
    return found;
  }

  /** Moves on; undefined at the end of the row, and then the next one is the first. */
  #next(passSender: boolean): Flow | undefined {
    const { sender, destination } = this.#at;
    const row = (passSender ? undefined : this.#nextFlow.get(sender, destination)) ?? this.#nextSender.get(sender);
    const flow =
      row === undefined ? undefined : { sender: String(row["sender_domain"]), destination: String(row["destination"]) };
    this.#at = flow ?? { sender: "", destination: "" };
    return flow;
  }
}

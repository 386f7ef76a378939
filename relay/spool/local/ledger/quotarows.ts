/** What is used up of quotas, a row each, written with the message that used it up. Runs in the writer thread. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { z } from "zod";
import { quotaKinds, type QuotaState } from "../../../limits/quota.ts";

const columns = ["key", ...quotaKinds, "at"] as const;
const amount = z.number().min(0);
const row = z.object({ key: z.string(), messages: amount, recipients: amount, bytes: amount, at: z.number() });

export class QuotaRows {
  readonly #database: DatabaseSync;
  readonly #keep: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const marks = columns.map(() => "?").join(", ");
    this.#keep = database.prepare(`INSERT OR REPLACE INTO quota (${columns.join(", ")}) VALUES (${marks})`);
  }

  keep(state: QuotaState): void {
    this.#keep.run(...columns.map((column) => state[column]));
  }

  /** One that cannot be read stops no mail: what it said was used up counts as unused. */
  all(): readonly QuotaState[] {
    const rows = this.#database.prepare("SELECT * FROM quota").all();
    return rows.flatMap((each) => row.safeParse(each).data ?? []);
  }
}

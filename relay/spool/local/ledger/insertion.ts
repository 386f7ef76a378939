/** How messages and recipients come into their tables: the one place. Runs in the writer thread. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ScheduledRecipient } from "../../message/message.ts";
import { contentColumns, insertInto, messageColumns, messageRow, recipientColumns } from "../../message/row.ts";
import type { StoredMessage } from "../../message/stored.ts";

export interface FlowOf {
  readonly sender: string;
  readonly destination: string;
  /** Of the message, ms since the epoch. */
  readonly acceptedAt: number;
}

export class Insertion {
  readonly #message: StatementSync;
  readonly #recipient: StatementSync;

  constructor(database: DatabaseSync) {
    this.#message = database.prepare(insertInto("message", ["id", ...messageColumns.names, ...contentColumns]));
    const flow = ["sender_domain", "destination", "accepted_at"];
    this.#recipient = database.prepare(insertInto("recipient", ["seq", ...recipientColumns.names, ...flow]));
  }

  /** The number of its row. */
  message(message: StoredMessage): number {
    return Number(this.#message.run(...messageRow(message)).lastInsertRowid);
  }

  /** Without a flow while delivery holds it. */
  recipient(seq: number, recipient: ScheduledRecipient, flow: FlowOf | undefined): void {
    const columns = [flow?.sender ?? null, flow?.destination ?? null, flow?.acceptedAt ?? null];
    this.#recipient.run(seq, ...recipientColumns.write(recipient), ...columns);
  }
}

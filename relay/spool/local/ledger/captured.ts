/**
 * Mail that was to stay (delivery.mode): what was accepted, with the signature fields that it would have left with and whom it was
 * for. It is kept for a while for people to read, and nobody sends it: no claim, offer or search for what is due looks here, and a
 * mode that is Send again changes nothing of that.
 *
 * The oldest goes when there is too much of it, in number, in age or in octets. A message of which some recipients are still in the
 * queue shares its body file with the row here, so that a file goes with the last of the two. Runs in the writer thread, inside
 * transactions that writer.ts opens; each change is undone with its transaction.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { contentColumns, idIn, messageColumns } from "../../message/row.ts";
import type { SpoolId } from "../../message/id.ts";
import type { Outcome } from "../../verbs.ts";
import type { Dropped, DropReason } from "../captureroom.ts";
import { readRow } from "../readrow.ts";

/** Whichever is reached first, beside the room that the spool has for it. */
export const captureBounds = { messages: 10_000, forMs: 7 * 24 * 3_600_000 } as const;

export interface CaptureOrder {
  readonly seq: number;
  /** Of one attempt; others than `captured` are none of ours. */
  readonly outcomes: readonly Outcome[];
  /** ms since the epoch. */
  readonly now: number;
}

export interface Pruned {
  readonly dropped: Dropped;
  /** Those of them whose body file nobody needs any more. */
  readonly bodies: readonly SpoolId[];
}

export interface PruneOrder {
  /** ms since the epoch. */
  readonly now: number;
  /** Octets that captured mail may take. */
  readonly roomBytes: number;
}

/** Rows that go in one transaction: some milliseconds. */
const prunedAtOnce = 500;
const pageBytes = 4_096;
/** Of a row, beside what it holds. */
const rowBytes = 512;

export class Captured {
  readonly #insert: StatementSync;
  readonly #addressOf: StatementSync;
  readonly #sizeOf: StatementSync;
  readonly #oldest: StatementSync;
  readonly #delete: StatementSync;
  readonly #anyOf: StatementSync;
  readonly #isQueued: StatementSync;
  readonly #undo: (undo: () => void) => void;
  #messages: number;
  #bytes: number;

  constructor(database: DatabaseSync, undo: (undo: () => void) => void) {
    this.#undo = undo;
    const copied = [...messageColumns.names, ...contentColumns].join(", ");
    this.#insert = database.prepare(
      `INSERT INTO captured (id, captured_at, recipients, signatures, bytes, ${copied})
       SELECT id, ?, ?, ?, ?, ${copied} FROM message WHERE seq = ?`,
    );
    this.#addressOf = database.prepare("SELECT address FROM recipient WHERE seq = ? AND idx = ?");
    this.#sizeOf = database.prepare("SELECT id, header_bytes, body_bytes, body_file FROM message WHERE seq = ?");
    this.#oldest = database.prepare("SELECT seq, id, captured_at, bytes, body_file FROM captured ORDER BY seq LIMIT 1");
    this.#delete = database.prepare("DELETE FROM captured WHERE seq = ?");
    this.#anyOf = database.prepare("SELECT 1 FROM captured WHERE id = ? LIMIT 1");
    this.#isQueued = database.prepare("SELECT 1 FROM message WHERE id = ?");
    const all = database.prepare("SELECT count(*) AS messages, total(bytes) AS bytes FROM captured").get();
    this.#messages = Number(all?.["messages"] ?? 0);
    this.#bytes = Number(all?.["bytes"] ?? 0);
  }

  get messages(): number {
    return this.#messages;
  }

  /** About what it takes of the disk, rather too much than too little. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the body of the message is needed here. */
  has(id: SpoolId): boolean {
    return this.#messages > 0 && this.#anyOf.get(id) !== undefined;
  }

  /** Copies the message for its captured recipients, before they leave the queue; false when there are none. */
  keep({ seq, outcomes, now }: CaptureOrder): boolean {
    const captured = outcomes.flatMap((outcome) => (outcome.kind === "captured" ? outcome : []));
    const [first] = captured;
    if (first === undefined) return false;
    const { signatures } = first;
    const named = JSON.stringify(captured.map(({ index }) => String(this.#addressOf.get(seq, index)?.["address"])));
    const row = this.#sizeOf.get(seq);
    const [header, body] = [Number(row?.["header_bytes"]), Number(row?.["body_bytes"])];
    const isFile = row?.["body_file"] === 1;
    // A second row of the same message shares the file of the first.
    const fileBytes = isFile && this.#anyOf.get(row["id"] ?? null) === undefined ? body : 0;
    const inRow = header + (isFile ? 0 : body) + signatures.length + named.length + rowBytes;
    const bytes = fileBytes + Math.ceil(inRow / pageBytes) * pageBytes;
    this.#insert.run(Math.round(now), named, signatures, bytes, seq);
    this.#account(1, bytes);
    return true;
  }

  /** What is too much, oldest first; not all of it at once. */
  prune({ now, roomBytes }: PruneOrder): Pruned {
    const bodies: SpoolId[] = [];
    const dropped = { age: 0, number: 0, room: 0 };
    for (let messages = 0; messages < prunedAtOnce; messages += 1) {
      const oldest = this.#oldest.get();
      if (oldest === undefined) break;
      const reason = this.#whyDropped(Number(oldest["captured_at"]), { now, roomBytes });
      if (reason === undefined) break;
      dropped[reason] += 1;
      this.#delete.run(Number(oldest["seq"]));
      this.#account(-1, -Number(oldest["bytes"]));
      const id = readRow(() => idIn(oldest));
      if (oldest["body_file"] !== 0 && id.kind === "read" && !this.#isNeeded(id.value)) bodies.push(id.value);
    }
    return { dropped, bodies };
  }

  #whyDropped(capturedAt: number, { now, roomBytes }: PruneOrder): DropReason | undefined {
    if (capturedAt < now - captureBounds.forMs) return "age";
    if (this.#messages > captureBounds.messages) return "number";
    return this.#bytes > roomBytes ? "room" : undefined;
  }

  #isNeeded(id: SpoolId): boolean {
    return this.has(id) || this.#isQueued.get(id) !== undefined;
  }

  #account(messages: number, bytes: number): void {
    this.#messages += messages;
    this.#bytes += bytes;
    this.#undo(() => {
      this.#messages -= messages;
      this.#bytes -= bytes;
    });
  }
}

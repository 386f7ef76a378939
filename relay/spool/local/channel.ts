/**
 * The way to the writer thread: operations gather while a batch is being synced and leave together as the next one.
 * That is the group commit; under load one sync serves everything that arrived during the one before.
 */
import { Worker } from "node:worker_threads";
import type {
  BatchReply,
  LogEndedReply,
  NewRow,
  OpenedReply,
  Operation,
  OperationResult,
  WriterReply,
  WriterSettings,
} from "./protocol.ts";
import type { StoredMessage } from "../message/stored.ts";
import { SpoolFullError } from "../verbs.ts";

interface Waiting {
  readonly operation: Operation;
  readonly resolve: (result: OperationResult) => void;
  readonly reject: (error: Error) => void;
}

export interface ChannelListener {
  /** After each transaction, with the number of writes that joined it. */
  batch(reply: BatchReply): void;
  /** After each endLog(). */
  logEnded(reply: LogEndedReply): void;
  /** The thread ended unasked: nothing can be kept any more. */
  lost(error: Error): void;
}

/**
 * Bound a batch so that one transaction stays short, some 80 ms: who comes while it is under way waits for that. Rows are what
 * takes time, 35 us each. What exceeds the bounds goes with the next batch, and lets what is small go first.
 */
const batchOperations = 256;
const batchRows = 2_000;
/** Of content, that take as long as a row. */
const octetsOfARow = 16_384;

export class WriterChannel {
  readonly #worker: Worker;
  readonly #listener: ChannelListener;
  #waiting: Waiting[] = [];
  #sent: Waiting[] = [];
  #lost: Error | undefined;

  private constructor(worker: Worker, listener: ChannelListener) {
    this.#worker = worker;
    this.#listener = listener;
    worker.on("message", (reply: WriterReply) => {
      if (reply.kind === "batch") this.#receive(reply);
      else if (reply.kind === "logEnded") this.#listener.logEnded(reply);
    });
    worker.on("error", (error) => this.#lose(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", () => this.#lose(new Error("the spool is closed")));
  }

  /** Starts the thread; rejects when the spool cannot be opened or is owned by another process, with SpoolFullError for want of room. */
  static async open(settings: WriterSettings, listener: ChannelListener): Promise<[WriterChannel, OpenedReply]> {
    const worker = new Worker(new URL("./writer.ts", import.meta.url), { workerData: settings });
    const opened = await new Promise<OpenedReply>((resolve, reject) => {
      worker.once("error", reject);
      worker.once("message", (reply: WriterReply) => {
        if (reply.kind === "opened") resolve(reply);
        else if (reply.kind !== "failed") reject(new Error("the spool's writer answered out of turn"));
        else reject(reply.diskFull ? new SpoolFullError(reply.message) : new Error(reply.message));
      });
    });
    return [new WriterChannel(worker, listener), opened];
  }

  async request(operation: Operation): Promise<OperationResult> {
    if (this.#lost !== undefined) throw this.#lost;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, resolve, reject });
      if (this.#sent.length === 0) this.#send();
    });
  }

  endLog(): void {
    this.#worker.postMessage({ kind: "endLog" });
  }

  #send(): void {
    if (this.#waiting.length === 0) return;
    this.#sent = this.#nextBatch();
    const operations = this.#sent.map((waiting) => waiting.operation);
    this.#worker.postMessage({ operations }, operations.flatMap(transferable));
  }

  /** The one that waits longest, and in order what fits beside it: callers wait for each answer, so nobody's order is changed. */
  #nextBatch(): Waiting[] {
    const batch: Waiting[] = [];
    const left: Waiting[] = [];
    let rows = 0;
    for (const waiting of this.#waiting) {
      const weight = weightOf(waiting.operation);
      const fits = batch.length < batchOperations && (rows + weight <= batchRows || batch.length === 0);
      // The end is the end: it passes nothing.
      if (!fits || (waiting.operation.kind === "close" && left.length > 0)) {
        left.push(waiting);
        continue;
      }
      batch.push(waiting);
      rows += weight;
    }
    this.#waiting = left;
    return batch;
  }

  #receive(reply: BatchReply): void {
    const answered = this.#sent;
    this.#sent = [];
    this.#send();
    this.#listener.batch(reply);
    for (const [index, waiting] of answered.entries()) {
      const result = reply.results[index];
      if (result === undefined) waiting.reject(new Error("the spool's writer left an operation unanswered"));
      else waiting.resolve(result);
    }
  }

  #lose(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    for (const waiting of [...this.#sent, ...this.#waiting]) waiting.reject(error);
    this.#sent = [];
    this.#waiting = [];
    this.#listener.lost(error);
  }
}

/** In rows that are written. */
function weightOf(operation: Operation): number {
  const { kind } = operation;
  if (kind === "commit" || kind === "receive") return rowsOfMessage(operation.row);
  if (kind === "claim") return Math.min(operation.recipients, batchRows);
  if (kind !== "settle") return 0;
  const { notices, outcomes, postponed } = operation;
  return notices.reduce((sum, notice) => sum + rowsOfMessage(notice), outcomes.length + postponed.length);
}

function rowsOfMessage({ message, recipients }: Pick<NewRow, "message" | "recipients">): number {
  return recipients.length + message.content.length / octetsOfARow;
}

/** Content is handed over, not copied again: store.ts made it for this journey. */
function transferable(operation: Operation): ArrayBuffer[] {
  return rowsOf(operation).flatMap(({ message }) =>
    message.content.buffer instanceof ArrayBuffer ? [message.content.buffer] : [],
  );
}

function rowsOf(operation: Operation): readonly { readonly message: StoredMessage }[] {
  if (operation.kind === "commit" || operation.kind === "receive") return [operation.row];
  return operation.kind === "settle" ? operation.notices : [];
}

/**
 * The spool's writer thread: the only connection that writes. Everything that arrives in one batch joins one
 * transaction and one sync (group commit); the replies go back only after it.
 *
 * When a batch fails, it is rolled back and its operations are tried one by one, so that one bad operation or a full
 * disk refuses only what cannot be kept. The file owner.db is locked exclusively for the life of the thread: the kernel
 * frees it when the process dies, however it dies.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { DiskFaults } from "./disk/faults.ts";
import { Ledger, UnclaimedError } from "./ledger/ledger.ts";
import type {
  BatchReply,
  BatchRequest,
  ErrorScope,
  Gauges,
  HandoffOperation,
  LogEndedReply,
  Operation,
  OperationResult,
  WriterReply,
  WriterSettings,
} from "./protocol.ts";

/** SQLITE_FULL, and the I/O errors by which a full disk can show: WRITE, FSYNC, and SHMSIZE, the log's index that cannot grow. */
const diskFullCodes = new Set([13, 778, 1034, 4874]);
/** In one step, which takes some milliseconds and which commits wait for. */
const pagesGivenBack = 256;

/** SQLITE_ERROR, CORRUPT (of a page: others may be whole), TOOBIG, CONSTRAINT, MISMATCH, MISUSE and RANGE. */
const operationCodes = new Set([1, 11, 18, 19, 20, 21, 25]);

interface Opened {
  readonly database: DatabaseSync;
  readonly owner: DatabaseSync;
  readonly ledger: Ledger;
}

/** What fails leaves nothing open: the next attempt must not wait for this one. */
function open(settings: WriterSettings, faults: DiskFaults | undefined): Opened {
  mkdirSync(settings.directory, { recursive: true });
  const owner = new DatabaseSync(join(settings.directory, "owner.db"), { timeout: settings.ownerTimeoutMs });
  try {
    owner.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    close(owner);
    // To lock it exclusively is to begin to write it.
    if (isDiskFull(error)) throw error;
    throw new Error(`another process owns the spool ${settings.directory}: stop it first`, { cause: error });
  }
  const database = new DatabaseSync(join(settings.directory, "spool.db"));
  try {
    prepare(database);
    faults?.strike("start");
    return { database, owner, ledger: new Ledger(database, settings.now) };
  } catch (error) {
    close(database, owner);
    throw error;
  }
}

function prepare(database: DatabaseSync): void {
  database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA wal_autocheckpoint = 0");
  database.exec("PRAGMA journal_size_limit = 33554432");
  database.exec("PRAGMA cache_size = -16000");
}

/** What cannot be closed is left to the end of the thread; the log holds what the database lacks. */
function close(...databases: readonly DatabaseSync[]): void {
  for (const database of databases) {
    try {
      database.close();
    } catch {
      continue;
    }
  }
}

const writes: ReadonlySet<Operation["kind"]> = new Set([
  "commit",
  "settle",
  "claim",
  "renew",
  "offer",
  "takeBack",
  "remove",
  "receive",
  "forgetReceived",
  "pruneCaptured",
]);

/** Before these, what has grown too old is counted: it is asked for, or goes to another pod, or comes from one. */
const looks: ReadonlySet<Operation["kind"]> = new Set(["waiting", "offer", "receive"]);

function isWrite(operation: Operation): boolean {
  return writes.has(operation.kind);
}

function carryOut(ledger: Ledger, operation: Operation): OperationResult {
  switch (operation.kind) {
    case "commit":
      ledger.commit(operation.row);
      return { kind: "done" };
    case "claim":
      return { kind: "claimed", rows: ledger.claim(operation) };
    case "settle":
      return { kind: "settled", ...ledger.settle(operation) };
    case "pruneCaptured":
      return { kind: "pruned", ...ledger.captured.prune(operation) };
    case "renew":
      return { kind: "lapsed", ...ledger.renew(operation) };
    case "nextDue":
      return { kind: "due", dueAt: ledger.nextDueAt(operation.after) };
    case "census":
      return { kind: "census", census: ledger.census(operation.now, operation.limit) };
    case "waiting":
      return { kind: "waiting", waiting: ledger.ages.waiting(operation.limit) };
    case "close":
      return { kind: "done" };
    case "offer":
    case "takeBack":
    case "remove":
    case "offered":
    case "openOffers":
    case "receive":
    case "knows":
    case "forgetReceived":
      return handOff(ledger, operation);
  }
}

function handOff(ledger: Ledger, operation: HandoffOperation): OperationResult {
  const { transfers } = ledger;
  switch (operation.kind) {
    case "offer":
      return { kind: "whole", rows: transfers.offer(operation) };
    case "takeBack":
      return { kind: "due", dueAt: transfers.takeBack(operation.id) };
    case "remove":
      return {
        kind: "settled",
        removed: transfers.remove(operation.id) && !ledger.captured.has(operation.id) ? [operation.id] : [],
      };
    case "offered":
      return offeredOf(transfers.offered(operation.id));
    case "openOffers":
      return { kind: "openOffers", offers: transfers.openOffers() };
    case "receive":
      return { kind: "known", isKnown: !transfers.receive(operation) };
    case "knows":
      return { kind: "known", isKnown: transfers.knows(operation) };
    case "forgetReceived":
      return { kind: "count", count: transfers.forgetReceived(operation.before) };
  }
}

function offeredOf(read: ReturnType<Ledger["transfers"]["offered"]>): OperationResult {
  if (read?.kind === "unreadable") return { kind: "unreadable" };
  return { kind: "whole", rows: read === undefined ? [] : [read.value] };
}

class Writer {
  readonly #database: DatabaseSync;
  readonly #owner: DatabaseSync;
  readonly #faults: DiskFaults | undefined;
  readonly ledger: Ledger;
  #gauges: Gauges;

  constructor(settings: WriterSettings) {
    this.#faults = settings.faults === undefined ? undefined : new DiskFaults(settings.faults);
    const opened = open(settings, this.#faults);
    this.#database = opened.database;
    this.#owner = opened.owner;
    this.ledger = opened.ledger;
    this.#gauges = this.ledger.gauges();
  }

  batch(operations: readonly Operation[]): BatchReply {
    for (const operation of operations) {
      if (looks.has(operation.kind) && "now" in operation) this.ledger.ages.look(operation.now);
    }
    const started = performance.now();
    const written = operations.filter(isWrite).length;
    const results = this.#transaction(operations) ?? operations.map((operation) => this.#alone(operation));
    const seconds = written === 0 ? 0 : (performance.now() - started) / 1000;
    const unreadable = this.ledger.unreadable.takeNotes();
    return { kind: "batch", results, gauges: this.gauges(), seconds, writes: written, unreadable };
  }

  /** The last figures, when the file cannot be asked now: no reply is lost for them. */
  gauges(): Gauges {
    try {
      this.#gauges = this.ledger.gauges();
    } catch {
      return this.#gauges;
    }
    return this.#gauges;
  }

  /** Undefined when it failed and was rolled back. */
  #transaction(operations: readonly Operation[]): readonly OperationResult[] | undefined {
    try {
      return this.#atomically(operations);
    } catch (error) {
      if (operations.length > 1) return undefined;
      return [failureOf(error)];
    }
  }

  #alone(operation: Operation): OperationResult {
    try {
      return this.#atomically([operation])[0] ?? { kind: "done" };
    } catch (error) {
      return failureOf(error);
    }
  }

  #atomically(operations: readonly Operation[]): readonly OperationResult[] {
    if (!operations.some(isWrite)) return operations.map((operation) => carryOut(this.ledger, operation));
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const results = operations.map((operation) => carryOut(this.ledger, operation));
      this.#faults?.strike("commit");
      this.#database.exec("COMMIT");
      this.ledger.committed();
      return results;
    } catch (error) {
      try {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      } finally {
        this.ledger.rolledBack();
      }
      throw error;
    }
  }

  /**
   * Ends the write-ahead log when the checkpoint thread has copied nearly all of it: a few pages are left to do. Never throws:
   * a disk that refuses this has the log as it was, and every message in it.
   */
  endLog(): LogEndedReply {
    try {
      this.#faults?.strike("endLog");
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
      this.#database.exec(`PRAGMA incremental_vacuum(${pagesGivenBack})`);
      return { kind: "logEnded", gauges: this.gauges() };
    } catch (error) {
      return { kind: "logEnded", error: String(error), gauges: this.gauges() };
    }
  }

  close(): void {
    close(this.#database, this.#owner);
  }
}

function failureOf(error: unknown): OperationResult {
  const code = codeOf(error);
  return {
    kind: "error",
    message: messageOf(error),
    diskFull: isDiskFull(error),
    scope: scopeOf(error, code),
  };
}

/** SQLite's; 0 of what did not come from there. */
function codeOf(error: unknown): number {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
}

function isDiskFull(error: unknown): boolean {
  return diskFullCodes.has(codeOf(error));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The low octet is the primary code. What did not come from SQLite is ours, and about one operation. */
function scopeOf(error: unknown, code: number): ErrorScope {
  if (error instanceof UnclaimedError) return "unclaimed";
  return code === 0 || operationCodes.has(code & 0xff) ? "operation" : "spool";
}

function serve(settings: WriterSettings): void {
  const port = parentPort;
  if (port === null) throw new Error("the spool's writer runs as a worker thread");
  const answer = (reply: WriterReply): void => port.postMessage(reply);
  let writer: Writer;
  try {
    writer = new Writer(settings);
  } catch (error) {
    answer({ kind: "failed", message: messageOf(error), diskFull: isDiskFull(error) });
    port.close();
    return;
  }
  const { ledger } = writer;
  answer({
    kind: "opened",
    spoolId: ledger.spoolId,
    gauges: writer.gauges(),
    bodies: ledger.bodies(),
    quotas: ledger.quotas.all(),
    unreadable: ledger.unreadable.takeNotes(),
  });
  port.on("message", (request: BatchRequest | { readonly kind: "endLog" }) => {
    if ("kind" in request) {
      answer(writer.endLog());
      return;
    }
    const reply = writer.batch(request.operations);
    const closing = request.operations.some((operation) => operation.kind === "close");
    if (closing) writer.close();
    answer(reply);
    if (closing) port.close();
  });
}

serve(workerData as WriterSettings);

/**
 * The spool on disk: SQLite for messages, recipients and their schedule, files for large bodies.
 *
 * Promise: what commit() or settle() resolved for is synced. On a full disk both refuse; settle() releases the reserve, so that
 * the next try has room. Delivery tries until its outcome is kept, and pauses meanwhile rather than sends twice.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import { BodyFiles } from "./bodies.ts";
import { WriterChannel } from "./channel.ts";
import { Checkpoints } from "./checkpoints.ts";
import type { CheckpointResult } from "./checkpointing.ts";
import type { DiskFaults } from "./disk/faults.ts";
import { DiskSpace } from "./disk/space.ts";
import { HandoffVerbs } from "./handoff/verbs.ts";
import type { HandoffSpool } from "./handoffs.ts";
import type { Entry, NewMessage, Settlement, SpoolId } from "./entry.ts";
import { entryOf, newRowOf, registered } from "./rowform.ts";
import type { BatchReply, Gauges, LogEndedReply, OpenedReply, Operation, OperationResult } from "./protocol.ts";
import {
  ClaimLostError,
  SettlementRefusedError,
  SpoolFullError,
  type BodyWriter,
  type ClaimQuestion,
  type DeliverySink,
  type LapsedClaims,
  type Spool,
  type Census,
  type SpoolDepth,
} from "./spool.ts";

export interface StoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Size of the volume's share that the spool may use, and the percentage at which new mail is refused. */
  readonly capacity: () => { readonly capacityBytes: number; readonly highWatermarkPercent: number };
  /** Delay to register before dialing, by number of the attempt, from 1; it does not grow any more after `longestSchedule`. */
  readonly retryDelayMs: (attempt: number) => number;
  readonly ownerTimeoutMs: number;
  /** Told after each transaction: how many writes joined it and how long it took with its sync. */
  readonly onCommit: (writes: number, seconds: number) => void;
  /** Told how each checkpoint ended; what failed or is blocked is tried again by itself. */
  readonly onCheckpoint?: (result: CheckpointResult) => void;
  /** Makes the disk fail on purpose. */
  readonly faults?: DiskFaults;
  /** The writer thread ended unasked: nothing can be kept or settled any more, so the process should end and start anew. */
  readonly onLost: (error: Error) => void;
}

/** Attempts after which the delay is the same each time: it doubles up to a cap that is reached well before. */
const longestSchedule = 24;
const unbounded = Number.MAX_SAFE_INTEGER;

export interface Store extends Spool {
  readonly handoff: HandoffSpool;
}

/** Opens the spool, or rejects with what is in the way: another owner, a newer schema, a damaged file. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const store = new SpoolStore(options);
  await store.open();
  return store;
}

class SpoolStore implements Store {
  readonly #options: StoreOptions;
  readonly #bodies: BodyFiles;
  readonly #space: DiskSpace;
  #channel: WriterChannel | undefined;
  #checkpoints: Checkpoints | undefined;
  #gauges: Gauges = {
    queuedMessages: 0,
    queuedRecipients: 0,
    unreadableRecipients: 0,
    databaseBytes: 0,
    freeBytes: 0,
  };
  #spoolId = "";
  readonly handoff: HandoffSpool;
  #sink: DeliverySink = {
    reserve: () => false,
    deliver: () => undefined,
    cancel: () => undefined,
    arrived: () => undefined,
  };
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  constructor(options: StoreOptions) {
    this.#options = options;
    const { directory, clock, log, faults } = options;
    this.#space = new DiskSpace({ directory, clock, log, faults });
    this.#bodies = new BodyFiles({
      directory,
      hasRoom: () => !this.#isFull(),
      onWritten: (bytes) => this.#space.wroteBody(bytes),
      faults,
    });
    this.handoff = new HandoffVerbs({
      spoolId: () => this.#spoolId,
      request: async (operation) => this.#request(operation),
      now: () => options.clock.now(),
      isFull: () => this.#isFull(),
      releaseReserve: async () => this.#space.releaseReserve(),
      ended: (id) => this.#bodies.ended(id),
      arrived: (dueAt) => this.#sink.arrived(dueAt),
      removeBody: async (id) => this.#removeBody(id),
    });
  }

  async open(): Promise<void> {
    const { directory, ownerTimeoutMs, clock, log, faults } = this.#options;
    const listener = {
      batch: (reply: BatchReply) => this.#account(reply),
      logEnded: (reply: LogEndedReply) => this.#checkpoints?.endedLog(reply),
      lost: (error: Error) => {
        if (!this.#closing.signal.aborted) this.#options.onLost(error);
      },
    };
    const settings = { directory, ownerTimeoutMs, now: clock.now(), faults: faults?.shared };
    const [channel, opened]: [WriterChannel, OpenedReply] = await WriterChannel.open(settings, listener);
    this.#channel = channel;
    this.#gauges = opened.gauges;
    this.#spoolId = opened.spoolId;
    this.#tell(opened);
    try {
      await this.#bodies.recover(opened.bodies, log);
      await this.#space.open();
    } catch (error) {
      // Its thread would keep the spool for itself.
      await this.close();
      throw error;
    }
    const onCheckpoint = this.#options.onCheckpoint ?? (() => undefined);
    this.#checkpoints = new Checkpoints({ directory, log, endLog: () => channel.endLog(), onCheckpoint, faults });
  }

  begin(id: SpoolId): BodyWriter {
    return this.#bodies.writer(id);
  }

  async commit(message: NewMessage): Promise<void> {
    if (this.#isFull()) throw new SpoolFullError("the spool is past its high watermark");
    const claimed = this.#sink.reserve(message);
    const entry = claimed ? registered(message, this.#firstDueAt()) : message;
    try {
      const result = await this.#request({ kind: "commit", row: newRowOf(entry, claimed) });
      if (result.kind === "error") {
        if (result.diskFull) throw new SpoolFullError(result.message);
        throw new Error(`spool: ${result.message}`);
      }
    } catch (error) {
      if (claimed) this.#sink.cancel(message);
      throw error;
    } finally {
      this.#bodies.ended(message.message.id);
    }
    this.#handOver(entry, claimed);
  }

  /** Never throws: what is durable was taken, whatever becomes of it here. Delivery that fails at it gets it back when its claim ends. */
  #handOver(entry: NewMessage, claimed: boolean): void {
    try {
      if (claimed) this.#sink.deliver({ message: entry.message, recipients: entry.recipients });
      else this.#sink.arrived(entry.dueAt);
    } catch (error) {
      this.#options.log.error({ spoolId: entry.message.id, error: String(error) }, "delivery could not take a message");
      if (claimed) this.#sink.cancel(entry);
    }
  }

  async claim({
    now,
    limit,
    recipients = unbounded,
    octets = unbounded,
    passOver,
  }: ClaimQuestion): Promise<readonly Entry[]> {
    const { retryDelayMs } = this.#options;
    const delaysMs = Array.from({ length: longestSchedule }, (_, index) => retryDelayMs(index + 1));
    const result = await this.#request({ kind: "claim", now, limit, recipients, octets, delaysMs, passOver });
    if (result.kind === "claimed") return result.rows.map(entryOf);
    throw new Error(`spool: could not claim: ${result.kind === "error" ? result.message : result.kind}`);
  }

  async nextDueAt(after = Number.MIN_SAFE_INTEGER): Promise<number | undefined> {
    const result = await this.#request({ kind: "nextDue", after });
    if (result.kind === "due") return result.dueAt;
    throw new Error(`spool: could not read the schedule: ${result.kind === "error" ? result.message : result.kind}`);
  }

  async settle(settlement: Settlement): Promise<void> {
    const notices = settlement.notices ?? [];
    const entries = notices.map((notice) => {
      const claimed = this.#sink.reserve(notice);
      return { entry: claimed ? registered(notice, this.#firstDueAt()) : notice, claimed };
    });
    const reserved = entries.filter(({ claimed }) => claimed).map(({ entry }) => entry);
    let removed: SpoolId | undefined;
    try {
      removed = await this.#keep(settlement, entries);
    } catch (error) {
      for (const notice of reserved) this.#sink.cancel(notice);
      throw error;
    }
    if (removed !== undefined) await this.#removeBody(removed);
    for (const { entry, claimed } of entries) this.#handOver(entry, claimed);
  }

  /** Never rejects: the outcome is durable, and who was told otherwise would write it again. The next start finds the file. */
  async #removeBody(id: SpoolId): Promise<void> {
    try {
      await this.#bodies.remove(id);
    } catch (error) {
      this.#options.log.error({ spoolId: id, error: String(error) }, "could not remove the body of a settled message");
    }
  }

  async #keep(
    { id, outcomes, postponed = [] }: Settlement,
    notices: readonly { readonly entry: NewMessage; readonly claimed: boolean }[],
  ): Promise<SpoolId | undefined> {
    const rows = notices.map(({ entry, claimed }) => newRowOf(entry, claimed));
    const result = await this.#request({ kind: "settle", id, outcomes, postponed, notices: rows });
    if (result.kind === "settled") return result.removed;
    const message = `spool: could not settle ${id}: ${result.kind === "error" ? result.message : result.kind}`;
    if (result.kind !== "error" || result.scope === "operation") throw new SettlementRefusedError(message);
    if (result.scope === "unclaimed") throw new ClaimLostError(message);
    if (!result.diskFull) throw new Error(message);
    await this.#space.releaseReserve();
    throw new SpoolFullError(message);
  }

  async renew(round: number, held: readonly SpoolId[]): Promise<LapsedClaims> {
    const result = await this.#request({ kind: "renew", round, held });
    if (result.kind === "lapsed") return { messages: result.messages, dueAt: result.dueAt };
    throw new Error(`spool: could not renew claims: ${result.kind === "error" ? result.message : result.kind}`);
  }

  readBody(id: SpoolId): NodeJS.ReadableStream {
    return this.#bodies.read(id);
  }

  async census(now: number, limit: number): Promise<Census> {
    const result = await this.#request({ kind: "census", now, limit });
    if (result.kind === "census") return result.census;
    throw new Error(`spool: could not count: ${result.kind === "error" ? result.message : result.kind}`);
  }

  async depth(now: number): Promise<SpoolDepth> {
    const dueAt = await this.nextDueAt();
    return {
      queuedMessages: this.#gauges.queuedMessages,
      queuedRecipients: this.#gauges.queuedRecipients,
      unreadableRecipients: this.#gauges.unreadableRecipients,
      oldestDueAt: dueAt !== undefined && dueAt <= now ? dueAt : undefined,
      usedBytes: this.#usedBytes(),
      logBytes: this.#space.logBytes,
      full: this.#isFull(),
      spoolId: this.#spoolId,
    };
  }

  deliverTo(sink: DeliverySink): void {
    this.#sink = sink;
  }

  isFull(): boolean {
    return this.#isFull();
  }

  /** Resolves whatever the disk and the threads do, and as often as it is asked. */
  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort();
    await this.#space.close();
    await this.#checkpoints?.close();
    try {
      await this.#request({ kind: "close" });
    } catch (error) {
      this.#options.log.error({ error: String(error) }, "the spool's writer had ended before it was closed");
    }
  }

  async #request(operation: Operation): Promise<OperationResult> {
    if (this.#channel === undefined) throw new Error("the spool is not open");
    this.#space.wroteLog(logBytesOf(operation));
    return this.#channel.request(operation);
  }

  #account(reply: BatchReply): void {
    this.#gauges = reply.gauges;
    this.#tell(reply);
    if (reply.writes === 0) return;
    this.#options.onCommit(reply.writes, reply.seconds);
    this.#checkpoints?.written(reply.gauges);
    this.#space.refresh();
  }

  #tell({ unreadable, gauges }: Pick<BatchReply, "unreadable" | "gauges">): void {
    const { log } = this.#options;
    for (const note of unreadable) log.error(note, "a row of the spool cannot be read and is set aside");
    const { unreadableRecipients } = gauges;
    if (unreadable.length > 0)
      log.error({ unreadableRecipients }, "recipients are set aside: see relay spool --unreadable");
  }

  #firstDueAt(): number {
    return this.#options.clock.now() + this.#options.retryDelayMs(1);
  }

  #usedBytes(): number {
    return this.#gauges.databaseBytes + this.#space.logBytes + this.#bodies.totalBytes;
  }

  #isFull(): boolean {
    this.#space.refresh();
    const { capacityBytes, highWatermarkPercent } = this.#options.capacity();
    return this.#space.nearlyFull || this.#usedBytes() > (capacityBytes * highWatermarkPercent) / 100;
  }
}

/** Shares of a message and of a recipient in the pages that are written for them, indexes included. */
const messageBytes = 8_192;
const recipientBytes = 512;

/** About what an operation adds to the log, rather too much than too little. */
function logBytesOf(operation: Operation): number {
  if (operation.kind === "commit" || operation.kind === "receive") {
    return operation.row.message.content.length + messageBytes + recipientBytes * operation.row.recipients.length;
  }
  if (operation.kind !== "settle") return 0;
  return operation.notices.reduce((sum, row) => sum + row.message.content.length + messageBytes, messageBytes);
}

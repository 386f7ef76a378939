/**
 * The spool on disk: SQLite for messages, recipients and their schedule, files for large bodies.
 *
 * Promise: what commit() or settle() resolved for is synced. On a full disk both refuse; settle() releases the reserve, so that
 * the next try has room, and so does a start, which writes into the tables. Delivery tries until its outcome is kept, and pauses meanwhile rather than sends twice.
 */
import type { Clock } from "../../../runtime/clock.ts";
import type { Log } from "../../../runtime/log.ts";
import type { QuotaState } from "../../limits/quota.ts";
import type { SpoolId } from "../message/id.ts";
import type { Entry, NewMessage } from "../message/message.ts";
import { messageOf, storedOf } from "../message/stored.ts";
import type { HandoffSpool } from "../offers.ts";
import type { Census, SpoolDepth, Waiting } from "../queue.ts";
import {
  ClaimLostError,
  OutcomeRefusedError,
  SpoolFullError,
  type BodyWriter,
  type ClaimQuestion,
  type LapsedClaims,
  type Outcomes,
  type Spool,
} from "../verbs.ts";
import { BodyFiles } from "./bodies.ts";
import { WriterChannel } from "./channel.ts";
import type { DiskFaults } from "./disk/faults.ts";
import { roomForCaptured, startPruning, tellDropped, type Dropped, type DropReason } from "./captureroom.ts";
import { DiskSpace } from "./disk/space.ts";
import { LocalHandoff } from "./handoff.ts";
import type { BatchReply, Gauges, LogEndedReply, NewRow, OpenedReply, Operation, OperationResult } from "./protocol.ts";
import { Checkpoints } from "./wal/checkpoints.ts";
import type { CheckpointResult } from "./wal/decide.ts";

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
  /** Told of captured mail that nobody can read any more. */
  readonly onDropped?: (reason: DropReason, messages: number) => void;
  /** Makes the disk fail on purpose. */
  readonly faults?: DiskFaults;
  /** The writer thread ended unasked: nothing can be kept or settled any more, so the process should end and start anew. */
  readonly onLost: (error: Error) => void;
}

/** Attempts after which the delay is the same each time: it doubles up to a cap that is reached well before. */
const longestSchedule = 24;
const unbounded = Number.MAX_SAFE_INTEGER;

export interface Store extends Spool {
  /** What was used up of each quota when the spool was opened. */
  readonly quotas: readonly QuotaState[];
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
  #pruning: { close(): Promise<void> } | undefined;
  #gauges: Gauges = {
    queuedMessages: 0,
    queuedRecipients: 0,
    unreadableRecipients: 0,
    capturedMessages: 0,
    capturedBytes: 0,
    databaseBytes: 0,
    freeBytes: 0,
  };
  #spoolId = "";
  quotas: readonly QuotaState[] = [];
  readonly handoff: HandoffSpool;
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
    this.handoff = new LocalHandoff({
      spoolId: () => this.#spoolId,
      request: async (operation) => this.#request(operation),
      isFull: () => this.#isFull(),
      releaseReserve: async () => this.#space.releaseReserve(),
      ended: (id) => this.#bodies.ended(id),
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
    const [channel, opened] = await this.#openWriter(async () => WriterChannel.open(settings, listener));
    this.#channel = channel;
    this.#gauges = opened.gauges;
    this.#spoolId = opened.spoolId;
    this.quotas = opened.quotas;
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
    this.#pruning = startPruning({ prune: async () => this.#pruneCaptured(), log });
  }

  /** A start puts what was in delivery back into its flows, and adds what tables and rows of the release before lack. */
  async #openWriter(open: () => Promise<[WriterChannel, OpenedReply]>): Promise<[WriterChannel, OpenedReply]> {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof SpoolFullError)) throw error;
    }
    await this.#space.releaseReserve();
    try {
      return await open();
    } catch (error) {
      await this.#space.close();
      if (!(error instanceof SpoolFullError)) throw error;
      const { directory } = this.#options;
      const what = `no room on the disk of the spool ${directory} for what a start writes into its tables (${error.message})`;
      throw new SpoolFullError(`${what}: make room there or enlarge the volume; the mail in it is as it was`);
    }
  }

  begin(id: SpoolId): BodyWriter {
    return this.#bodies.writer(id);
  }

  async commit(message: NewMessage): Promise<Entry | undefined> {
    if (this.#isFull()) throw new SpoolFullError("the spool is past its high watermark");
    const fresh = this.#registered(message);
    try {
      const result = await this.#request({ kind: "commit", row: newRowOf(fresh) });
      if (result.kind === "error") {
        if (result.diskFull) throw new SpoolFullError(result.message);
        throw new Error(`spool: ${result.message}`);
      }
    } finally {
      this.#bodies.ended(message.message.id);
    }
    return claimOf(fresh);
  }

  /** The first attempt is part of the acceptance: registered with it, due again at `dueAt` if nothing is heard of it. */
  #registered(message: NewMessage): NewMessage {
    if (message.claim !== true) return message;
    const recipients = message.recipients.map((recipient) => ({ ...recipient, attempts: recipient.attempts + 1 }));
    return { ...message, recipients, dueAt: this.#options.clock.now() + this.#options.retryDelayMs(1) };
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
    if (result.kind === "claimed")
      return result.rows.map(({ message, recipients: due }) => ({ message: messageOf(message), recipients: due }));
    throw new Error(`spool: could not claim: ${result.kind === "error" ? result.message : result.kind}`);
  }

  async nextDueAt(after = Number.MIN_SAFE_INTEGER): Promise<number | undefined> {
    const result = await this.#request({ kind: "nextDue", after });
    if (result.kind === "due") return result.dueAt;
    throw new Error(`spool: could not read the schedule: ${result.kind === "error" ? result.message : result.kind}`);
  }

  async settle(outcomes: Outcomes): Promise<readonly Entry[]> {
    const notices = (outcomes.notices ?? []).map((notice) => this.#registered(notice));
    const removed = await this.#keep(outcomes, notices);
    for (const body of removed) await this.#removeBody(body);
    return notices.flatMap((notice) => claimOf(notice) ?? []);
  }

  /** Never rejects: the outcome is durable, and who was told otherwise would write it again. The next start finds the file. */
  async #removeBody(id: SpoolId): Promise<void> {
    try {
      await this.#bodies.remove(id);
    } catch (error) {
      this.#options.log.error({ spoolId: id, error: String(error) }, "could not remove the body of a settled message");
    }
  }

  async #keep({ id, outcomes, postponed = [] }: Outcomes, notices: readonly NewMessage[]): Promise<readonly SpoolId[]> {
    const rows = notices.map(newRowOf);
    const [now, captureRoomBytes] = [this.#options.clock.now(), this.#captureRoomBytes()];
    const result = await this.#request({
      kind: "settle",
      id,
      now,
      outcomes,
      postponed,
      notices: rows,
      captureRoomBytes,
    });
    if (result.kind === "settled") {
      if (result.dropped !== undefined) this.#tellDropped(result.dropped);
      return result.removed;
    }
    const message = `spool: could not settle ${id}: ${result.kind === "error" ? result.message : result.kind}`;
    if (result.kind !== "error" || result.scope === "operation") throw new OutcomeRefusedError(message);
    if (result.scope === "unclaimed") throw new ClaimLostError(message);
    if (!result.diskFull) throw new Error(message);
    await this.#space.releaseReserve();
    throw new SpoolFullError(message);
  }

  /** Drops captured mail that is too old, or has no room any more; not all at once. */
  async #pruneCaptured(): Promise<number> {
    if (this.#gauges.capturedMessages === 0) return 0;
    const [now, roomBytes] = [this.#options.clock.now(), this.#captureRoomBytes()];
    const result = await this.#request({ kind: "pruneCaptured", now, roomBytes });
    if (result.kind !== "pruned") throw new Error(`spool: ${result.kind === "error" ? result.message : result.kind}`);
    for (const body of result.bodies) await this.#removeBody(body);
    this.#tellDropped(result.dropped);
    const { age, number, room } = result.dropped;
    return age + number + room;
  }

  #tellDropped(dropped: Dropped): void {
    const { log, onDropped = () => undefined } = this.#options;
    tellDropped({ log, onDropped }, dropped);
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

  async waiting(now: number, limit: number): Promise<Waiting> {
    const result = await this.#request({ kind: "waiting", now, limit });
    if (result.kind === "waiting") return result.waiting;
    throw new Error(`spool: could not tell what waits: ${result.kind === "error" ? result.message : result.kind}`);
  }

  async depth(now: number): Promise<SpoolDepth> {
    const dueAt = await this.nextDueAt();
    return {
      queuedMessages: this.#gauges.queuedMessages,
      queuedRecipients: this.#gauges.queuedRecipients,
      unreadableRecipients: this.#gauges.unreadableRecipients,
      capturedMessages: this.#gauges.capturedMessages,
      oldestDueAt: dueAt !== undefined && dueAt <= now ? dueAt : undefined,
      usedBytes: this.#usedBytes(),
      logBytes: this.#space.logBytes,
      full: this.#isFull(),
      spoolId: this.#spoolId,
    };
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
    await this.#pruning?.close();
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

  #usedBytes(): number {
    return this.#gauges.databaseBytes + this.#space.logBytes + this.#bodies.totalBytes;
  }

  /** Captured mail has room of its own above the watermark, and makes way for what is to be sent. */
  #isFull(): boolean {
    this.#space.refresh();
    const { capacityBytes, highWatermarkPercent } = this.#options.capacity();
    const queuedBytes = this.#usedBytes() - this.#gauges.capturedBytes;
    return this.#space.nearlyFull || queuedBytes > (capacityBytes * highWatermarkPercent) / 100;
  }

  #captureRoomBytes(): number {
    return roomForCaptured({ ...this.#options.capacity(), isNearlyFull: this.#space.nearlyFull });
  }
}

function newRowOf({ message, recipients, dueAt, claim, quotas = [] }: NewMessage): NewRow {
  return { message: storedOf(message), recipients, dueAt, claimed: claim === true, quotas };
}

function claimOf({ message, recipients, claim }: NewMessage): Entry | undefined {
  return claim === true ? { message, recipients } : undefined;
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
  const copied = operation.outcomes.reduce(
    (most, outcome) => (outcome.kind === "captured" ? Math.max(most, outcome.copiedBytes + messageBytes) : most),
    0,
  );
  return operation.notices.reduce((sum, row) => sum + row.message.content.length + messageBytes, messageBytes + copied);
}

/** A spool for tests of reception, in memory: what it was given, and nothing of delivery. */
import type { Body, NewMessage } from "../../relay/spool/message/message.ts";
import type { SpoolId } from "../../relay/spool/message/id.ts";
import { SpoolFullError, type BodyWriter, type Spool } from "../../relay/spool/verbs.ts";

export interface KeptMessage {
  readonly message: NewMessage["message"];
  readonly recipients: NewMessage["recipients"];
  readonly body: Buffer;
}

/** Keeps messages in memory; may be full, failing or held. */
export class MemorySpool implements Spool {
  readonly kept: KeptMessage[] = [];
  /** Of each that was kept. */
  readonly quotas: NonNullable<NewMessage["quotas"]>[] = [];
  /** Writers that were begun and neither committed nor aborted. */
  readonly open = new Set<SpoolId>();
  /** Commits that were begun. */
  committing = 0;
  full = false;
  failure: Error | undefined;
  /** While set, commits wait for it. */
  hold: Promise<void> | undefined;
  readonly #bodies = new Map<SpoolId, Buffer>();

  begin(id: SpoolId): BodyWriter {
    const { open } = this;
    const bodies = this.#bodies;
    const chunks: Buffer[] = [];
    open.add(id);
    return {
      async write(chunk): Promise<void> {
        chunks.push(Buffer.from(chunk));
        await Promise.resolve();
      },
      get sizeBytes(): number {
        return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      },
      async finish(): Promise<Body> {
        const bytes = Buffer.concat(chunks);
        bodies.set(id, bytes);
        await Promise.resolve();
        return { kind: "inline", bytes };
      },
      async abort(): Promise<void> {
        open.delete(id);
        await Promise.resolve();
      },
    };
  }

  async commit(message: NewMessage): Promise<undefined> {
    this.committing += 1;
    await this.hold;
    if (this.full) throw new SpoolFullError("full");
    if (this.failure !== undefined) throw this.failure;
    const body = this.#bodies.get(message.message.id) ?? Buffer.alloc(0);
    this.open.delete(message.message.id);
    this.kept.push({ message: message.message, recipients: message.recipients, body });
    this.quotas.push(message.quotas ?? []);
  }

  async census(): Promise<Awaited<ReturnType<Spool["census"]>>> {
    const none = { longest: [], others: 0 };
    return { senders: none, destinations: none, oldest: [] };
  }

  async waiting(): Promise<Awaited<ReturnType<Spool["waiting"]>>> {
    const none = { "5m": 0, "1h": 0, "1d": 0 };
    return {
      objective: { inTime: 0, late: 0 },
      oldestAcceptedAt: undefined,
      olderThan: none,
      domains: [],
      others: none,
    };
  }

  async depth(): Promise<Awaited<ReturnType<Spool["depth"]>>> {
    const queuedMessages = this.kept.length;
    await Promise.resolve();
    return {
      queuedMessages,
      queuedRecipients: queuedMessages,
      oldestDueAt: undefined,
      usedBytes: 0,
      logBytes: 0,
      unreadableRecipients: 0,
      capturedMessages: 0,
      full: this.full,
      spoolId: "test",
    };
  }

  isFull(): boolean {
    return this.full;
  }

  renew(): never {
    throw new Error("nothing is claimed here");
  }

  claim(): never {
    throw new Error("submission claims nothing");
  }
  nextDueAt(): never {
    throw new Error("submission schedules nothing");
  }
  settle(): never {
    throw new Error("submission settles nothing");
  }
  readBody(): never {
    throw new Error("submission reads nothing back");
  }
  async close(): Promise<void> {
    await Promise.resolve();
  }
}

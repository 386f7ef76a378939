/**
 * The verbs of a hand-off, asked of the writer thread: what spool and files have to do for them beside the tables.
 *
 * On a full disk receive() refuses like commit(). Giving away is what makes room, so the reserve is released for it and the
 * caller tries again.
 */
import type { SpoolId } from "../message/id.ts";
import type { WholeMessage } from "../message/message.ts";
import { messageOf, storedOf } from "../message/stored.ts";
import type { HandoffSpool, OpenOffer, OfferName, OfferQuestion, ReceivedMessage } from "../offers.ts";
import { SpoolFullError } from "../verbs.ts";
import type { HandoffOperation, OperationResult, WholeRow } from "./protocol.ts";

export interface LocalHandoffOptions {
  /** Asked once the spool is open. */
  readonly spoolId: () => string;
  readonly request: (operation: HandoffOperation) => Promise<OperationResult>;
  readonly isFull: () => boolean;
  readonly releaseReserve: () => Promise<void>;
  /** The body of a message that was received is committed, or was refused. */
  readonly ended: (id: SpoolId) => void;
  readonly removeBody: (id: SpoolId) => Promise<void>;
}

export class LocalHandoff implements HandoffSpool {
  readonly #options: LocalHandoffOptions;

  constructor(options: LocalHandoffOptions) {
    this.#options = options;
  }

  get spoolId(): string {
    return this.#options.spoolId();
  }

  async offer(question: OfferQuestion): Promise<readonly WholeMessage[]> {
    const result = await this.#give({ kind: "offer", ...question });
    if (result.kind !== "whole") throw unexpected(result);
    return result.rows.map(wholeOf);
  }

  async takeBack(id: SpoolId): Promise<number> {
    const result = await this.#give({ kind: "takeBack", id });
    if (result.kind !== "due" || result.dueAt === undefined) throw unexpected(result);
    return result.dueAt;
  }

  async remove(id: SpoolId): Promise<void> {
    const result = await this.#give({ kind: "remove", id });
    if (result.kind !== "settled") throw unexpected(result);
    for (const removed of result.removed) await this.#options.removeBody(removed);
  }

  async openOffers(): Promise<readonly OpenOffer[]> {
    const result = await this.#options.request({ kind: "openOffers" });
    if (result.kind !== "openOffers") throw unexpected(result);
    return result.offers;
  }

  async offered(id: SpoolId): Promise<WholeMessage | "unreadable" | undefined> {
    const result = await this.#options.request({ kind: "offered", id });
    if (result.kind === "unreadable") return "unreadable";
    if (result.kind !== "whole") throw unexpected(result);
    return result.rows.map(wholeOf)[0];
  }

  async receive({ message, recipients, offer, now, offeredAt }: ReceivedMessage): Promise<"taken" | "known"> {
    if (this.#options.isFull()) throw new SpoolFullError("the spool is past its high watermark");
    const result = await this.#keep({
      kind: "receive",
      row: { message: storedOf(message), recipients },
      offer,
      now,
      offeredAt,
    });
    if (result.kind === "error" && result.diskFull) throw new SpoolFullError(result.message);
    if (result.kind !== "known") throw unexpected(result);
    return result.isKnown ? "known" : "taken";
  }

  async knows({ id, offer }: OfferName): Promise<boolean> {
    const result = await this.#options.request({ kind: "knows", id, offer });
    if (result.kind !== "known") throw unexpected(result);
    return result.isKnown;
  }

  async forgetReceived(before: number): Promise<number> {
    const result = await this.#options.request({ kind: "forgetReceived", before });
    if (result.kind !== "count") throw unexpected(result);
    return result.count;
  }

  async #keep(operation: Extract<HandoffOperation, { kind: "receive" }>): Promise<OperationResult> {
    try {
      return await this.#options.request(operation);
    } finally {
      this.#options.ended(operation.row.message.id);
    }
  }

  async #give(operation: HandoffOperation): Promise<OperationResult> {
    const result = await this.#options.request(operation);
    if (result.kind === "error" && result.diskFull) await this.#options.releaseReserve();
    return result;
  }
}

function unexpected(result: OperationResult): Error {
  return new Error(`spool: ${result.kind === "error" ? result.message : `answered ${result.kind}`}`);
}

function wholeOf({ message, recipients }: WholeRow): WholeMessage {
  return { message: messageOf(message), recipients };
}

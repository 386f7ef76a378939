/**
 * The spool's verbs for mail that goes to, or comes from, another pod of the same relay.
 *
 * Giving is registered before it begins, as dialing is: what was offered belongs to nobody's delivery until the offer's end
 * is known. An offer has a name of its own, because the same message may be offered to the same pod twice in its life.
 */
import type { Peer } from "../../api/administration.ts";
import type { SpoolId } from "./message/id.ts";
import type { WholeMessage } from "./message/message.ts";

/** One offer of one message. */
export interface OfferName {
  readonly id: SpoolId;
  /** Never used again. */
  readonly offer: string;
}

/** What stays on disk while the end of an offer is not known. */
export interface OpenOffer extends OfferName {
  readonly peer: Peer;
}

export interface OfferQuestion {
  /** ms since the epoch. */
  readonly now: number;
  /** Messages. */
  readonly limit: number;
  readonly peer: Peer;
  readonly offer: string;
  /** Messages that stay. */
  readonly except: readonly SpoolId[];
}

export interface ReceivedMessage extends WholeMessage {
  readonly offer: string;
  /** ms since the epoch. */
  readonly now: number;
  /** When it was offered, by the giver's clock: what was late then, the giver has counted. Undefined when it did not say. */
  readonly offeredAt?: number | undefined;
}

export interface HandoffSpool {
  /** Identity of this spool: nobody hands mail to himself. */
  readonly spoolId: string;
  /**
   * Registers messages that delivery does not hold, those due first, as offered to the peer; resolves once that is synced.
   * Until takeBack() or remove() delivery does not get them, also after a restart.
   */
  offer(question: OfferQuestion): Promise<readonly WholeMessage[]>;
  /**
   * The peer does not have it, and never will by this offer: it is in the queue again, as it was. Resolves with when the first of
   * its recipients is due.
   */
  takeBack(id: SpoolId): Promise<number>;
  /** The peer has it: nothing of it stays here. */
  remove(id: SpoolId): Promise<void>;
  /** Offers without an end: right after the start those of the process before. */
  openOffers(): Promise<readonly OpenOffer[]>;
  /** The whole of an offered message, for telling what became of it; undefined when it is not offered. */
  offered(id: SpoolId): Promise<WholeMessage | "unreadable" | undefined>;
  /**
   * Keeps a message and the name of its offer, in one synced transaction. `known` when it is in the queue or came by this
   * very offer before, whatever became of it: then nothing is done. Rejects with SpoolFullError as commit() does, and when this
   * spool has the message and offers it to another pod.
   */
  receive(received: ReceivedMessage): Promise<"taken" | "known">;
  /** As receive() would say it; false for a message that this spool offers to another pod, unless it came by this very offer. */
  knows(name: OfferName): Promise<boolean>;
  /** Forgets offers received before then (ms since the epoch), some at a time. Resolves with how many. */
  forgetReceived(before: number): Promise<number>;
}

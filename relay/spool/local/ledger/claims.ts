/**
 * What delivery, or an offer to another pod, holds of the queue: these recipients are handed out to nobody else.
 *
 * A claim of delivery is a lease. Delivery names what it holds in rounds; what it did not name in two rounds one after the other
 * is nobody's any more, and comes back at the time that was registered with its attempt. Two rounds, because a claim whose answer
 * was still on its way at the first one is known to its holder before the second: rounds are asked one after the other, and
 * answered in order. An offer's claim lasts until it has ended.
 *
 * Each change is undone with the transaction that it belongs to.
 */
import { domainOf } from "../../../mail/address.ts";
import type { SpoolId } from "../../message/id.ts";
import type { MessageFacts, ScheduledRecipient } from "../../message/message.ts";

export type Holder = "delivery" | "offer";

export interface Claim {
  readonly seq: number;
  /** Sender domain of the message. */
  readonly domain: string;
  /** Of the message, ms since the epoch. */
  readonly acceptedAt: number;
  readonly holder: Holder;
  /** Held since its acceptance: what of it was not put off yet stands in no flow. */
  readonly isFresh: boolean;
  /** By the recipient's index. */
  readonly recipients: Map<number, HeldRecipient>;
  /** The round in which its holder did not name it, and in none since. */
  missedIn: number | undefined;
}

export interface HeldRecipient {
  readonly destination: string;
  /** As it was before the attempt was registered, ms since the epoch. */
  readonly dueAt: number;
}

export interface NewClaim {
  readonly message: Pick<MessageFacts, "id" | "domain" | "acceptedAt">;
  readonly seq: number;
  /** One without a time of its own was due at acceptance: its first attempt is registered with it. */
  readonly recipients: readonly (Pick<ScheduledRecipient, "index" | "address"> & { readonly dueAt?: number })[];
  readonly holder: Holder;
  readonly isFresh?: boolean;
}

export class Claims {
  readonly #claims = new Map<SpoolId, Claim>();
  readonly #claimedSeqs = new Map<number, SpoolId>();
  readonly #undo: (undo: () => void) => void;

  constructor(undo: (undo: () => void) => void) {
    this.#undo = undo;
  }

  get(id: SpoolId): Claim | undefined {
    return this.#claims.get(id);
  }

  isHeld(seq: number): boolean {
    return this.#claimedSeqs.has(seq);
  }

  isClaimed(seq: number, index: number): boolean {
    const id = this.#claimedSeqs.get(seq);
    return id !== undefined && this.#claims.get(id)?.recipients.has(index) === true;
  }

  /** All of them. */
  values(): Iterable<Claim> {
    return this.#claims.values();
  }

  hold({ message: { id, domain, acceptedAt }, seq, recipients, holder, isFresh = false }: NewClaim): void {
    const known = this.#claims.get(id);
    const made = { seq, domain, acceptedAt, holder, isFresh, missedIn: undefined };
    const claim = known ?? { ...made, recipients: new Map<number, HeldRecipient>() };
    for (const { index, address, dueAt = acceptedAt } of recipients) {
      claim.recipients.set(index, { destination: domainOf(address), dueAt });
    }
    this.#claims.set(id, claim);
    this.#claimedSeqs.set(seq, id);
    this.#undo(() => this.#forget(id, claim, recipients));
  }

  letGo(id: SpoolId): void {
    const claim = this.#claims.get(id);
    if (claim === undefined) return;
    const all = [...claim.recipients.keys()].map((index) => ({ index }));
    this.release(id, claim, all);
  }

  release(id: SpoolId, claim: Claim, ended: readonly { readonly index: number }[]): void {
    const held = [...claim.recipients];
    this.#forget(id, claim, ended);
    this.#undo(() => {
      for (const [index, recipient] of held) claim.recipients.set(index, recipient);
      this.#claims.set(id, claim);
      this.#claimedSeqs.set(claim.seq, id);
    });
  }

  /** Renews what delivery names; the claims that it has not named in this round nor in one before. The same round counts once. */
  lapsed(round: number, named: ReadonlySet<SpoolId>): readonly (readonly [SpoolId, Claim])[] {
    const lapsed: (readonly [SpoolId, Claim])[] = [];
    for (const [id, claim] of this.#claims) {
      if (claim.holder === "offer") continue;
      if (named.has(id)) claim.missedIn = undefined;
      else if (claim.missedIn === undefined) claim.missedIn = round;
      else if (claim.missedIn < round) lapsed.push([id, claim]);
    }
    return lapsed;
  }

  #forget(id: SpoolId, claim: Claim, ended: readonly { readonly index: number }[]): void {
    for (const { index } of ended) claim.recipients.delete(index);
    if (claim.recipients.size > 0) return;
    this.#claims.delete(id);
    this.#claimedSeqs.delete(claim.seq);
  }
}

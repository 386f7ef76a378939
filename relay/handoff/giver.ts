/**
 * Gives the mail of a pod that leaves to peers that stay, while an order with peers is in force.
 *
 * Promise: a message is registered as offered, and that synced, before its peer hears of it; it is removed once the peer has it.
 * Delivery stands down meanwhile, but not while no peer takes anything: then the pod delivers what it can by itself. Bounded:
 * so many transfers at a time, whatever waits.
 */
import { randomBytes } from "node:crypto";
import type { Peer } from "../../api/administration.ts";
import type { Chance, Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { DrainOrders, DrainProgress } from "../administration/orders.ts";
import type { SnapshotSource } from "../config/snapshot.ts";
import type { HandoffTracer } from "../observe/handoffspan.ts";
import type { Journal } from "../observe/journal.ts";
import type { GivenResult, HandoffMetrics } from "./metrics.ts";
import type { SpoolId } from "../spool/message/id.ts";
import type { HandoffSpool, OpenOffer } from "../spool/offers.ts";
import type { WholeMessage } from "../spool/message/message.ts";
import type { Starter } from "../spool/start.ts";
import type { Spool } from "../spool/verbs.ts";
import { HandoffClient, type Given, type Transfer } from "./client.ts";
import { Inquiries } from "./inquiry.ts";
import { recordGiven } from "./lines.ts";
import {
  afterFailure,
  afterSuccess,
  chooseNext,
  defaultSlots,
  restedPeer,
  type PeerState,
  type Slots,
} from "./spread.ts";

export interface GiverOptions {
  readonly orders: DrainOrders;
  readonly spool: Pick<Spool, "readBody" | "depth"> & { readonly handoff: HandoffSpool };
  readonly delivery: Pick<Starter, "arrived"> & { standDown(): Promise<void>; resume(): void };
  readonly snapshots: SnapshotSource;
  readonly tracer: HandoffTracer;
  readonly journal: Journal;
  readonly metrics: HandoffMetrics;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** This pod's, as peers tell people. */
  readonly name: string;
  readonly slots?: Slots;
}

export interface Giver {
  /** Undefined without an order. */
  progress(): DrainProgress | undefined;
  /** Offers nothing more and waits for what is under way, up to the deadline; offers without an end are known to the next start. */
  close(deadlineMs: number): Promise<void>;
}

/** Rejects when the spool cannot tell which offers a process before this one left. */
export async function openGiver(options: GiverOptions): Promise<Giver> {
  const giver = new HandoffGiver(options);
  await giver.start();
  return giver;
}

/** What delivery still has in flight may come back into the spool at any time. */
const lookAgainMs = 250;
/** Messages that peers could not take. A peer that understands none, of another version, is one that takes no mail. */
const mostSetAside = 100;
/** After trouble with the spool. */
const troubleMs = 1_000;

type Giving = Omit<Transfer, "context">;

class HandoffGiver implements Giver {
  readonly #options: GiverOptions;
  readonly #slots: Slots;
  readonly #client: HandoffClient;
  readonly #inquiries: Inquiries;
  /** Each with its peer's key; they outlive the order. */
  readonly #transfers = new Map<Promise<void>, string>();
  /** Messages that a peer could not take: they are left to delivery. */
  readonly #setAside = new Set<SpoolId>();
  #peers: readonly PeerState[] = [];
  #handedOver = 0;
  #failure: string | undefined;
  #hasOrder = false;
  #isDown = false;
  /** All that is left is what peers cannot be given: delivery has it. */
  #isLeftToDelivery = false;
  #looking: Promise<void> | undefined;
  #calledMeanwhile = false;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: GiverOptions) {
    const { spool, snapshots, name, chance, log } = options;
    this.#options = options;
    this.#slots = options.slots ?? defaultSlots;
    const readBody = (id: SpoolId): NodeJS.ReadableStream => spool.readBody(id);
    this.#client = new HandoffClient({ snapshots, spoolId: spool.handoff.spoolId, name, readBody });
    this.#inquiries = new Inquiries({
      spool: spool.handoff,
      client: this.#client,
      finish: async (open) => this.#finishAsked(open),
      onReturn: (dueAt) => {
        this.#options.delivery.arrived(dueAt);
        this.#look();
      },
      monotonic: () => performance.now(),
      chance,
      log,
    });
  }

  async start(): Promise<void> {
    const offers = await this.#options.spool.handoff.openOffers();
    if (offers.length > 0) this.#options.log.info({ offers: offers.length }, "asking peers how earlier offers ended");
    for (const open of offers) this.#inquiries.add(open);
    this.#options.orders.onChange(() => this.#obey());
    this.#obey();
  }

  progress(): DrainProgress | undefined {
    return this.#hasOrder ? { handedOver: this.#handedOver, failure: this.#failure } : undefined;
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    // Not together: what a look has offered is under way when it ends.
    const ended = Promise.resolve(this.#looking).then(async () => Promise.all(this.#transfers.keys()));
    await Promise.race([ended, deadline.promise]);
    clearTimeout(timer);
    this.#client.close();
    await this.#inquiries.close();
  }

  #obey(): void {
    const order = this.#options.orders.current();
    if (order === undefined || !this.#hasOrder) {
      this.#handedOver = 0;
      this.#failure = undefined;
      this.#setAside.clear();
    }
    this.#hasOrder = order !== undefined;
    this.#isLeftToDelivery = false;
    const known = new Map(this.#peers.map((state) => [keyOf(state.peer), state]));
    this.#peers = (order?.peers ?? []).map(
      (peer) => known.get(keyOf(peer)) ?? restedPeer(peer, this.#underWayTo(keyOf(peer))),
    );
    this.#look();
  }

  #underWayTo(key: string): number {
    return [...this.#transfers.values()].filter((other) => other === key).length;
  }

  /** Looks what is to be done now; once more when called meanwhile. */
  #look(): void {
    if (this.#closing) return;
    if (this.#looking !== undefined) {
      this.#calledMeanwhile = true;
      return;
    }
    this.#calledMeanwhile = false;
    clearTimeout(this.#timer);
    this.#looking = this.#giveNext()
      .catch((error: unknown) => {
        this.#options.log.error({ error: String(error) }, "could not offer mail to peers");
        return troubleMs;
      })
      .then((pauseMs) => {
        this.#looking = undefined;
        if (this.#calledMeanwhile || pauseMs === 0) this.#look();
        else if (pauseMs !== undefined && !this.#closing) this.#timer = setTimeout(() => this.#look(), pauseMs);
      })
      .catch((error: unknown) => this.#options.log.fatal({ error: String(error) }, "hand-off stopped"));
  }

  /** Resolves with when to look again in ms; undefined: when something happens. */
  async #giveNext(): Promise<number | undefined> {
    if (this.#peers.length === 0) {
      this.#resumeDelivery();
      return undefined;
    }
    const now = this.#options.clock.now();
    const choice = chooseNext(this.#peers, this.#slots, now);
    if (choice.kind === "busy") return undefined;
    if (choice.kind === "rest") {
      this.#resumeDelivery();
      return Math.max(choice.until - now, 1);
    }
    if (!choice.isTrial && !this.#isLeftToDelivery) await this.#standDown();
    const { peer, limit } = choice;
    const offer = randomBytes(8).toString("hex");
    const offeredAt = this.#options.clock.now();
    const handoff = this.#options.spool.handoff;
    const offered = await handoff.offer({ now: offeredAt, limit, peer, offer, except: [...this.#setAside] });
    // The order may have been taken back, or name others now, while the offers were registered.
    const isWanted = !this.#closing && this.#peers.some((state) => keyOf(state.peer) === keyOf(peer));
    for (const whole of offered) {
      if (isWanted) this.#begin({ whole, offer, offeredAt, peer });
      else await this.#takeBackUnsent(whole.message.id, offer, peer);
    }
    if (offered.length > 0 || !isWanted) {
      this.#isLeftToDelivery = false;
      return 0;
    }
    if (this.#transfers.size === 0 && !this.#isLeftToDelivery) await this.#leaveToDelivery(now);
    return lookAgainMs;
  }

  /** Never rejects. */
  async #takeBackUnsent(id: SpoolId, offer: string, peer: Peer): Promise<void> {
    try {
      await this.#takeBack(id);
    } catch (error) {
      this.#doubt({ id, offer, peer }, error);
    }
  }

  async #takeBack(id: SpoolId): Promise<void> {
    const { spool, delivery } = this.#options;
    delivery.arrived(await spool.handoff.takeBack(id));
  }

  #doubt(open: OpenOffer, error: unknown): void {
    this.#options.log.error({ spoolId: open.id, error: String(error) }, "could not end an offer in the spool");
    if (!this.#closing) this.#inquiries.add(open);
  }

  /** What is left can be given to no peer, or not whole: nobody else would send it. */
  async #leaveToDelivery(now: number): Promise<void> {
    const { queuedMessages } = await this.#options.spool.depth(now);
    if (queuedMessages === 0) return;
    this.#isLeftToDelivery = true;
    this.#resumeDelivery();
  }

  async #standDown(): Promise<void> {
    if (this.#isDown) return;
    this.#isDown = true;
    await this.#options.delivery.standDown();
  }

  #resumeDelivery(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#options.delivery.resume();
  }

  #begin(giving: Giving): void {
    const { whole, offer, peer } = giving;
    this.#change(peer, (state) => ({ ...state, underWay: state.underWay + 1 }));
    const transfer: Promise<void> = this.#give(giving)
      .catch((error: unknown) => this.#doubt({ id: whole.message.id, offer, peer }, error))
      .then(() => {
        this.#transfers.delete(transfer);
        this.#change(peer, (state) => ({ ...state, underWay: state.underWay - 1 }));
        this.#look();
      });
    this.#transfers.set(transfer, keyOf(peer));
  }

  /** Rejects when the spool could not keep how it ended. */
  async #give(giving: Giving): Promise<void> {
    const { whole, offer, peer } = giving;
    const { tracer, clock, metrics } = this.#options;
    const { id } = whole.message;
    const span = tracer.give({ ...whole, now: clock.now(), peer });
    const given = await this.#client.give({ ...giving, context: span?.context });
    span?.end(given.kind);
    metrics.given(resultOf(given));
    this.#judge(given, peer);
    switch (given.kind) {
      case "taken":
      case "known":
        await this.#finish(whole, peer, span?.traceId);
        return;
      case "unknown":
        if (!this.#closing) this.#inquiries.add({ id, offer, peer });
        return;
      case "set aside":
        if (this.#setAside.size < mostSetAside) this.#setAside.add(id);
        await this.#takeBack(id);
        return;
      case "refused":
      case "unreachable":
        await this.#takeBack(id);
        return;
    }
  }

  #judge(given: Given, peer: Peer): void {
    const { clock, chance, log } = this.#options;
    if (given.kind === "taken" || given.kind === "known") {
      this.#failure = undefined;
      this.#change(peer, afterSuccess);
      return;
    }
    this.#failure = `${peer.name}: ${given.reason}`;
    if (given.kind === "set aside" && this.#setAside.size < mostSetAside) return;
    const before = this.#peers.find((state) => keyOf(state.peer) === keyOf(peer));
    this.#change(peer, (state) => afterFailure(state, clock.now(), chance()));
    // One line for all the transfers that failed together, and not one for each trial.
    if (before?.failures === 0) log.warn({ peer: peer.name, reason: given.reason }, "a peer takes no mail");
  }

  async #finish(whole: WholeMessage, peer: Peer, traceId: string | undefined): Promise<void> {
    await this.#remove(whole.message.id);
    recordGiven({ whole, peer: peer.name, traceId }, this.#options.journal);
  }

  async #remove(id: SpoolId): Promise<void> {
    await this.#options.spool.handoff.remove(id);
    this.#handedOver += 1;
  }

  async #finishAsked({ id, peer }: OpenOffer): Promise<void> {
    const whole = await this.#options.spool.handoff.offered(id);
    if (whole === undefined) return;
    // The peer has it whole: what cannot be read here any more is of no use.
    if (whole === "unreadable") await this.#remove(id);
    else await this.#finish(whole, peer, undefined);
    this.#options.metrics.given("handed_over");
  }

  #change(peer: Peer, next: (state: PeerState) => PeerState): void {
    const key = keyOf(peer);
    this.#peers = this.#peers.map((state) => (keyOf(state.peer) === key ? next(state) : state));
  }
}

function keyOf({ name, host, port }: Peer): string {
  return `${name} ${host} ${port}`;
}

function resultOf({ kind }: Given): GivenResult {
  if (kind === "taken" || kind === "known") return "handed_over";
  return kind === "set aside" ? "set_aside" : kind;
}

/**
 * The places for connections, over all listeners: how many there are in all, for one client, and for strangers.
 *
 * A client is an IPv4 address, or the /64 network that one machine may use of IPv6. A stranger is who has neither logged in nor is
 * trusted, from its first octet on. Strangers cannot take the places of the others: a quarter is kept from them, and when theirs
 * are taken, a newcomer gets that of the client who holds more of them than the newcomer, the oldest first. So who opens
 * connections and never logs in hinders himself.
 *
 * Nor can one keep out its neighbours behind the same address: when all places of a client are taken, a newcomer gets that of a
 * stranger there who has had the time that a login takes.
 */
import type { Time } from "./hosts.ts";
import { refusal, type Refusal } from "../mail/reply.ts";

/** The manifest's `limits`, as far as they are about connections. */
export interface ClientLimits {
  readonly connections: number;
  readonly connectionsPerClient: number;
}

export interface Newcomer {
  readonly client: string;
  readonly isKnown: boolean;
  /** Told when the place is given to another; it is free already. */
  readonly giveWay: () => void;
}

/** One connection's place, until it is left; leaving twice is leaving once. */
export interface Seat {
  readonly kind: "seat";
  /** The client has logged in. */
  know(): void;
  leave(): void;
}

interface Holding {
  all: number;
  /** In order of arrival. */
  readonly strangers: Map<Seat, Stranger>;
}

interface Stranger {
  readonly since: number;
  readonly giveWay: () => void;
}

const full = refusal(421, "4.3.2", "Too many connections, try again later");
const clientFull = refusal(421, "4.7.0", "Too many connections from your address, try again later");
const keptShare = 1 / 4;
/**
 * A stranger keeps its place as long against others of its own client: a dozen round trips to the other side of the world, the pauses
 * of a client that is loud, and the wait of a login that is slowed (`slowLoginMs` and `pauseMs` of relay/smtp/server/patience.ts). Were
 * it less than those, who is slowed would always lose its place before its password is looked at, and be locked out.
 */
const loginMs = 15_000;

/** How long a client is known after its last session that logged in or is trusted: some connect anew for each message. */
const knownMs = 600_000;
/** The one that was known longest ago is forgotten first. */
const rememberedClients = 10_000;

export interface ClientConnections {
  /** Takes a place, or says why there is none; who is refused is not counted. */
  enter(newcomer: Newcomer, limits: ClientLimits): Seat | Refusal;
  /** Somebody at this client's address has logged in or is trusted, now or lately. */
  isKnown(client: string): boolean;
}

export class ConnectionCount implements ClientConnections {
  readonly #time: Time;
  readonly #byClient = new Map<string, Holding>();
  /** When the last known session of a client ended. */
  readonly #knownAt = new Map<string, number>();
  #total = 0;
  #strangers = 0;

  constructor(time: Time) {
    this.#time = time;
  }

  get total(): number {
    return this.#total;
  }

  enter(newcomer: Newcomer, limits: ClientLimits): Seat | Refusal {
    const own = this.#byClient.get(newcomer.client);
    if (own !== undefined && own.all >= limits.connectionsPerClient) {
      const [oldest] = own.strangers;
      if (oldest === undefined || this.#time.now() - oldest[1].since < loginMs) return clientFull;
      evict(oldest);
    }
    const forStrangers = limits.connections - Math.floor(limits.connections * keptShare);
    const isFull = this.#total >= limits.connections || (!newcomer.isKnown && this.#strangers >= forStrangers);
    if (isFull && !this.#makeRoom(own?.strangers.size ?? 0)) return full;
    return this.#seat(newcomer);
  }

  isKnown(client: string): boolean {
    const own = this.#byClient.get(client);
    if (own !== undefined && own.all > own.strangers.size) return true;
    const knownAt = this.#knownAt.get(client);
    return knownAt !== undefined && this.#time.now() - knownAt < knownMs;
  }

  #remember(client: string): void {
    this.#knownAt.delete(client);
    this.#knownAt.set(client, this.#time.now());
    const [oldest] = this.#knownAt.keys();
    if (this.#knownAt.size > rememberedClients && oldest !== undefined) this.#knownAt.delete(oldest);
  }

  /** True when a stranger has left for the newcomer. */
  #makeRoom(newcomerHolds: number): boolean {
    let most: Holding | undefined;
    for (const holding of this.#byClient.values()) {
      if (holding.strangers.size > (most?.strangers.size ?? newcomerHolds)) most = holding;
    }
    const [oldest] = most?.strangers ?? [];
    if (oldest === undefined) return false;
    evict(oldest);
    return true;
  }

  #seat({ client, isKnown, giveWay }: Newcomer): Seat {
    const holding = this.#byClient.get(client) ?? { all: 0, strangers: new Map<Seat, Stranger>() };
    this.#byClient.set(client, holding);
    holding.all += 1;
    this.#total += 1;
    let isTaken = true;
    const know = (): void => {
      if (holding.strangers.delete(seat)) this.#strangers -= 1;
    };
    const leave = (): void => {
      if (!isTaken) return;
      isTaken = false;
      if (!holding.strangers.has(seat)) this.#remember(client);
      know();
      this.#total -= 1;
      holding.all -= 1;
      if (holding.all === 0) this.#byClient.delete(client);
    };
    const seat: Seat = { kind: "seat", know, leave };
    if (!isKnown) {
      holding.strangers.set(seat, { since: this.#time.now(), giveWay });
      this.#strangers += 1;
    }
    return seat;
  }
}

function evict([seat, { giveWay }]: readonly [Seat, Stranger]): void {
  seat.leave();
  giveWay();
}

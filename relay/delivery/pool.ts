/**
 * Connections to next hops, kept open and reused.
 *
 * Promise: at most `maxConnections` a destination, which may have several hops; a new one is opened only while messages
 * wait and none is free, and the number grows by doubling, so that a hop that is down or slow is dialed once and not once a
 * message.
 * On failure: when nothing is open to the hop, everyone who waits for it gets the trouble; while something is, they wait
 * for that (a hop that limits our connections refuses the next one, not the mail).
 */
import type { Clock } from "../../runtime/clock.ts";
import { PlainHosts } from "../smtp/client/plainhosts.ts";
import {
  ConnectError,
  openConnection,
  patience,
  type NextHopConnection,
  type NextHop,
} from "../smtp/client/transport.ts";
import type { DeliveryMetrics } from "./metrics.ts";

export interface PoolOptions {
  readonly clock: Clock;
  readonly metrics: Pick<DeliveryMetrics, "nextHopConnection">;
  readonly open?: (hop: NextHop) => Promise<NextHopConnection>;
  readonly maxConnections?: number;
  readonly messagesPerConnection?: number;
  readonly idleMs?: number;
}

export interface Pool {
  /** A connection for one transaction. Rejects with ConnectError. */
  acquire(hop: NextHop, choice?: { fresh: boolean }): Promise<NextHopConnection>;
  /** Gives it back, in whatever state. */
  release(connection: NextHopConnection): void;
  /** Ends every connection at once; transactions under way lose theirs. */
  close(): void;
}

/** Messages after which a connection makes way, when another host of the same destination waits for its place. */
const messagesPerTurn = 10;

interface Waiter {
  readonly resolve: (connection: NextHopConnection) => void;
  readonly reject: (error: unknown) => void;
}

/** Hops that share a limit. */
interface Group {
  readonly key: string;
  limit: number;
  /** Said QUIT and are not closed yet: the other side still counts them. */
  readonly leaving: Set<NextHopConnection>;
  readonly hops: Set<NextHopState>;
}

interface NextHopState {
  readonly hop: NextHop;
  readonly group: Group;
  readonly idle: { readonly connection: NextHopConnection; readonly since: number }[];
  readonly busy: Set<NextHopConnection>;
  readonly waiting: Waiter[];
  opening: number;
}

export function createPool(options: PoolOptions): Pool {
  return new NextHopPool(options);
}

class NextHopPool implements Pool {
  readonly #options: Required<PoolOptions>;
  readonly #hops = new Map<string, NextHopState>();
  readonly #groups = new Map<string, Group>();
  #sweep: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    const plainHosts = new PlainHosts(options.clock);
    const open = (hop: NextHop): Promise<NextHopConnection> => openConnection(hop, patience, plainHosts);
    const defaults = { open, maxConnections: 20, messagesPerConnection: 100, idleMs: 5_000 };
    this.#options = { ...defaults, ...options };
  }

  acquire(hop: NextHop, choice?: { fresh: boolean }): Promise<NextHopConnection> {
    if (this.#closed) return Promise.reject(new ConnectError({ phase: "connect", detail: "the relay is stopping" }));
    const state = this.#stateOf(hop);
    if (choice?.fresh) this.#dropIdle(state);
    const idle = takeAlive(state);
    if (idle !== undefined) {
      state.busy.add(idle);
      return Promise.resolve(idle);
    }
    return new Promise((resolve, reject) => {
      state.waiting.push({ resolve, reject });
      this.#grow(state);
    });
  }

  release(connection: NextHopConnection): void {
    const state = this.#hops.get(connection.hop.key);
    state?.busy.delete(connection);
    const most = connection.hop.limits?.messagesPerConnection ?? this.#options.messagesPerConnection;
    const reusable = connection.alive && connection.messages < most;
    if (state !== undefined && !this.#closed && reusable) {
      this.#give(state, connection);
      return;
    }
    if (state === undefined) connection.quit();
    else this.#dismiss(state, connection);
    this.#forget(state);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#sweep);
    for (const state of this.#hops.values()) {
      for (const { connection } of state.idle.splice(0)) connection.quit();
      for (const connection of state.busy) connection.destroy();
      const error = new ConnectError({ phase: "connect", detail: "the relay is stopping" });
      for (const waiter of state.waiting.splice(0)) waiter.reject(error);
    }
  }

  #stateOf(hop: NextHop): NextHopState {
    const known = this.#hops.get(hop.key);
    const groupKey = hop.limits?.key ?? hop.key;
    const group = known?.group ??
      this.#groups.get(groupKey) ?? {
        key: groupKey,
        limit: 0,
        leaving: new Set<NextHopConnection>(),
        hops: new Set<NextHopState>(),
      };
    // The limit may have changed since.
    group.limit = hop.limits?.maxConnections ?? this.#options.maxConnections;
    if (known !== undefined) return known;
    const state: NextHopState = { hop, group, idle: [], busy: new Set(), waiting: [], opening: 0 };
    group.hops.add(state);
    this.#groups.set(groupKey, group);
    this.#hops.set(hop.key, state);
    return state;
  }

  #give(state: NextHopState, connection: NextHopConnection): void {
    // The connection itself is counted nowhere at this moment.
    const isWaitedFor = openIn(state.group) + 1 >= state.group.limit && othersWait(state);
    const endsTurn = isWaitedFor && connection.messages % messagesPerTurn === 0 && connection.messages > 0;
    const waiter = endsTurn ? undefined : state.waiting.shift();
    if (waiter !== undefined) {
      state.busy.add(connection);
      waiter.resolve(connection);
      return;
    }
    if (isWaitedFor) {
      // Another host of the destination is waited for: it gets the place of this connection.
      state.group.hops.delete(state);
      state.group.hops.add(state);
      this.#dismiss(state, connection);
      this.#forget(state);
      return;
    }
    state.idle.push({ connection, since: this.#options.clock.now() });
    this.#sweep ??= setTimeout(() => this.#closeIdle(), this.#options.idleMs).unref();
  }

  /** Ends a connection; its place is free when it is closed. */
  #dismiss({ group }: NextHopState, connection: NextHopConnection): void {
    if (connection.alive) group.leaving.add(connection);
    connection.quit();
    this.#growAll(group);
  }

  #growAll(group: Group): void {
    for (const state of group.hops) this.#grow(state);
  }

  /** Opens as many as wait, but never more at once than are open already. */
  #grow(state: NextHopState): void {
    const open = state.busy.size + state.idle.length;
    const wish = Math.min(state.waiting.length - state.opening, Math.max(1, open) - state.opening);
    const room = wish <= 0 ? 0 : this.#roomIn(state.group, wish);
    const wanted = Math.min(wish, room);
    for (let count = 0; count < wanted; count += 1) {
      state.opening += 1;
      this.#open(state).catch((error: unknown) => this.#refuse(state, error));
    }
  }

  /** What the destination's limit leaves; idle connections to its other hosts make way. */
  #roomIn(group: Group, wish: number): number {
    const room = group.limit - openIn(group);
    if (room >= wish) return room;
    for (const state of group.hops) {
      while (room + group.leaving.size < wish && state.waiting.length === 0) {
        const idle = state.idle.shift();
        if (idle === undefined) break;
        group.leaving.add(idle.connection);
        idle.connection.quit();
      }
    }
    return group.limit - openIn(group);
  }

  async #open(state: NextHopState): Promise<void> {
    let connection: NextHopConnection;
    try {
      connection = await this.#options.open(state.hop);
    } finally {
      state.opening -= 1;
    }
    this.#options.metrics.nextHopConnection("opened", tlsWord(connection));
    if (this.#closed) {
      connection.quit();
      return;
    }
    connection.onEnd(() => this.#remove(state, connection));
    this.#give(state, connection);
    this.#grow(state);
  }

  #refuse(state: NextHopState, error: unknown): void {
    this.#options.metrics.nextHopConnection("failed");
    const others = state.busy.size + state.idle.length + state.opening;
    if (others > 0) {
      // This hop's waiters wait for what it has open; the place is free for other hops, of which nobody else would think.
      for (const other of state.group.hops) if (other !== state) this.#grow(other);
      return;
    }
    for (const waiter of state.waiting.splice(0)) waiter.reject(error);
    this.#growAll(state.group);
    this.#forget(state);
  }

  /** An idle connection that the hop closed is dropped without a word. */
  #remove(state: NextHopState, connection: NextHopConnection): void {
    const at = state.idle.findIndex((entry) => entry.connection === connection);
    if (at !== -1) state.idle.splice(at, 1);
    if (state.group.leaving.delete(connection) || (at !== -1 && othersWait(state))) this.#growAll(state.group);
    this.#forget(state);
    this.#forgetGroup(state.group);
  }

  #dropIdle(state: NextHopState): void {
    for (const { connection } of state.idle.splice(0)) connection.quit();
  }

  #closeIdle(): void {
    this.#sweep = undefined;
    const limit = this.#options.clock.now() - this.#options.idleMs;
    let left = 0;
    for (const state of this.#hops.values()) {
      const old = state.idle.filter((entry) => entry.since <= limit);
      for (const entry of old) {
        state.idle.splice(state.idle.indexOf(entry), 1);
        entry.connection.quit();
      }
      left += state.idle.length;
      this.#forget(state);
    }
    if (left > 0) this.#sweep = setTimeout(() => this.#closeIdle(), Math.max(this.#options.idleMs / 5, 50)).unref();
  }

  #forget(state: NextHopState | undefined): void {
    if (state === undefined) return;
    if (state.idle.length + state.busy.size + state.waiting.length + state.opening > 0) return;
    // A connection may end after its hop was forgotten and came back.
    if (this.#hops.get(state.hop.key) === state) this.#hops.delete(state.hop.key);
    state.group.hops.delete(state);
    this.#forgetGroup(state.group);
  }

  #forgetGroup(group: Group): void {
    if (group.hops.size + group.leaving.size === 0) this.#groups.delete(group.key);
  }
}

function openIn(group: Group): number {
  let open = group.leaving.size;
  for (const state of group.hops) open += state.busy.size + state.idle.length + state.opening;
  return open;
}

function othersWait(state: NextHopState): boolean {
  if (state.group.hops.size === 1) return false;
  for (const other of state.group.hops) if (other !== state && other.waiting.length > other.opening) return true;
  return false;
}

/** The connection used last: the others grow old and are closed. */
function takeAlive(state: NextHopState): NextHopConnection | undefined {
  for (let entry = state.idle.pop(); entry !== undefined; entry = state.idle.pop()) {
    if (entry.connection.alive) return entry.connection;
  }
  return undefined;
}

/** As the metrics of incoming sessions have it. */
function tlsWord({ tlsVersion }: NextHopConnection): string | undefined {
  return tlsVersion === undefined ? undefined : `TLSv${tlsVersion}`;
}

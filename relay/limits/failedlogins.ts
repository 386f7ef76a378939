/**
 * How often logins have failed, over all listeners and mechanisms: of a client, of a user name, and of both together. Pure.
 *
 * Who guesses is held back, and nobody can be locked out by it who has been let in before:
 * - a client that fails often with one name is refused that name, unseen;
 * - a name that fails often from many clients is refused to clients, but those that have not failed lately have half of its room;
 * - a client that fails often with many names is served slowly, as there may be many behind one address (RFC 6269 section 13.1);
 * - who was let in with this name at this address before is never refused. When somebody guesses there, each login takes longer.
 * Refused means not looked at: the right password is told nothing else, or a guess would be as good as before.
 *
 * The same wrong password again is no guess. A pod with an old password tries it for ever, behind the address of its node.
 */
import { atMost, takenAt, waitFor, withTaken, type Bucket, type Flow } from "./gcra.ts";
import type { Time } from "./hosts.ts";

export interface LoginAttempt {
  readonly client: string;
  /** Undefined where none was said, as with a certificate. */
  readonly user: string | undefined;
}

export interface FailedLogin extends LoginAttempt {
  /** Tells one wrong password from another; undefined where it cannot be told. */
  readonly shown?: string | undefined;
}

export type LoginTurn =
  | { readonly kind: "at once" }
  | { readonly kind: "slowly"; readonly by: "client" | "client and user" }
  /** `waitMs`: until the next one is looked at. */
  | { readonly kind: "refused"; readonly by: "user" | "client and user"; readonly waitMs: number };

const second = 1 / 1000;
const ofClient: Flow = { perMs: second / 5, room: 30 };
const ofUser: Flow = { perMs: second / 10, room: 100 };
/** What is left is for clients that have not failed lately: pods get new addresses, and few who guess have many. */
const roomForSuspects = 50;
const ofPair: Flow = { perMs: second / 60, room: 10 };

/** How long an address is known as one of a user's. */
const goodMs = 7 * 86_400_000;
/** Of each kind; the one that was seen longest ago is forgotten first. */
const remembered = 10_000;
/** Wrong passwords of a client and a user that are known again. */
const rememberedPasswords = 8;
const atOnce: LoginTurn = { kind: "at once" };

export interface LoginLimits {
  /** Asked before a login is looked at. */
  turn(attempt: LoginAttempt): LoginTurn;
  failed(failed: FailedLogin): void;
  succeeded(attempt: LoginAttempt): void;
}

export class FailedLogins implements LoginLimits {
  readonly #time: Time;
  readonly #clients = new Buckets(ofClient);
  readonly #users = new Buckets(ofUser);
  readonly #pairs = new Buckets(ofPair);
  /** Wrong passwords of both together, the last first. */
  readonly #shown = new Map<string, readonly string[]>();
  /** When they were let in last. */
  readonly #good = new Map<string, number>();

  constructor(time: Time) {
    this.#time = time;
  }

  turn({ client, user }: LoginAttempt): LoginTurn {
    const now = this.#time.now();
    if (user !== undefined) {
      const pair = pairOf(client, user);
      const waitMs = this.#pairs.waitMs(pair, now);
      if (this.#isGood(pair, now)) return waitMs > 0 ? { kind: "slowly", by: "client and user" } : atOnce;
      if (waitMs > 0) return { kind: "refused", by: "client and user", waitMs };
      const isSuspect = this.#clients.taken(client, now) > 0;
      const userWaitMs = this.#users.waitMs(user, now, isSuspect ? roomForSuspects : ofUser.room);
      if (userWaitMs > 0) return { kind: "refused", by: "user", waitMs: userWaitMs };
    }
    return this.#clients.waitMs(client, now) > 0 ? { kind: "slowly", by: "client" } : atOnce;
  }

  failed({ client, user, shown }: FailedLogin): void {
    const now = this.#time.now();
    if (user === undefined) return this.#clients.take(client, now);
    const pair = pairOf(client, user);
    if (shown !== undefined && !this.#isNew(pair, shown)) return;
    for (const [buckets, key] of [
      [this.#pairs, pair],
      [this.#clients, client],
      [this.#users, user],
    ] as const)
      buckets.take(key, now);
  }

  succeeded({ client, user }: LoginAttempt): void {
    if (user !== undefined) keep(this.#good, pairOf(client, user), this.#time.now());
  }

  #isGood(pair: string, now: number): boolean {
    const at = this.#good.get(pair);
    return at !== undefined && now - at < goodMs;
  }

  #isNew(pair: string, shown: string): boolean {
    const before = this.#shown.get(pair) ?? [];
    if (before.includes(shown)) return false;
    keep(this.#shown, pair, [shown, ...before].slice(0, rememberedPasswords));
    return true;
  }
}

class Buckets {
  readonly #flow: Flow;
  readonly #buckets = new Map<string, Bucket>();

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  /** Until there is room for one more; 0 when there is now. */
  waitMs(key: string, now: number, room = this.#flow.room): number {
    return waitFor(this.#at(key, now), { ...this.#flow, room }, { cost: 1, now });
  }

  taken(key: string, now: number): number {
    return takenAt(this.#at(key, now), this.#flow.perMs, now);
  }

  take(key: string, now: number): void {
    keep(this.#buckets, key, withTaken(this.#at(key, now), this.#flow.perMs, { cost: 1, now }));
  }

  /** A clock that was set back goes on from there. */
  #at(key: string, now: number): Bucket | undefined {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined || bucket.at <= now) return bucket;
    const moved = atMost(bucket, now);
    this.#buckets.set(key, moved);
    return moved;
  }
}

/** A client is an address, which has no such character. */
function pairOf(client: string, user: string): string {
  return `${client}\n${user}`;
}

function keep<Value>(all: Map<string, Value>, key: string, value: Value): void {
  all.delete(key);
  all.set(key, value);
  const [oldest] = all.keys();
  if (all.size > remembered && oldest !== undefined) all.delete(oldest);
}

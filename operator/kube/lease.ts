/**
 * One operator acts, the others stand by. The lease is taken when nobody holds it, when its holder gave it up, or when it
 * was seen unchanged for its whole duration; time is measured by this process alone, so clocks that disagree do no harm.
 *
 * A leader writes only while `isFresh()`: it has renewed within the deadline, by the monotonic and by the wall clock, so
 * that neither a stopped process nor a paused virtual machine goes on writing when it wakes. A leader that lost the
 * lease does not come back: `lost` resolves and the process is to end, because half-done work cannot be taken over.
 */
import type { Chance } from "../../runtime/clock.ts";
import type { Client, ListQuery } from "./client/client.ts";
import { isFailure } from "./client/failure.ts";
import type { RawObject } from "./client/resource.ts";
import { Reflector, reflectorTimes } from "./cache/reflector.ts";
import { Store } from "./cache/store.ts";
import { heldLease, holderOf, leaseResource, type LeaseTimes, nextStep, releasedLease } from "./leaserecord.ts";

export interface ElectionSettings {
  /** Without a fence: renewing is what makes the lease fresh. */
  readonly client: Client;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates, also between two lives of one pod. */
  readonly identity: string;
  readonly fieldManager: string;
  readonly times: LeaseTimes;
  /** Milliseconds; a clock that never goes back. */
  readonly monotonic: () => number;
  /** Milliseconds since the epoch. */
  readonly wall: () => number;
  readonly chance: Chance;
  readonly onError: (error: unknown) => void;
  /** A request got no answer, and the next one had it at once over a new connection: other old ones may be as dead. */
  readonly onDeadConnection: () => void;
}

/** A server that has answered this fast was not what the last request waited for in vain, in milliseconds. */
const promptMs = 1_000;

export class Election {
  readonly #settings: ElectionSettings;
  readonly #client: Client;
  readonly #ended = new AbortController();
  readonly #elected = Promise.withResolvers<void>();
  readonly #lost = Promise.withResolvers<string>();
  #lease: RawObject | undefined;
  #observed = { version: "", at: 0 };
  /** When the last successful renewal was sent. */
  #renewed: { readonly monotonic: number; readonly wall: number } | undefined;
  #isLeading = false;
  #isWoken = false;
  #wakeUp: () => void = () => {};
  #loop: Promise<void> | undefined;

  constructor(settings: ElectionSettings) {
    this.#settings = settings;
    const { renewDeadlineMs } = settings.times;
    // A request that hangs must leave time for another try before the deadline.
    this.#client = settings.client.with({
      stopping: this.#ended.signal,
      deadlines: { readMs: renewDeadlineMs / 2, writeMs: renewDeadlineMs / 2 },
    });
  }

  /** Resolves when this process leads. */
  get elected(): Promise<void> {
    return this.#elected.promise;
  }

  /** Resolves with the reason when this process led and must not write any more. */
  get lost(): Promise<string> {
    return this.#lost.promise;
  }

  /** Who holds the lease, as far as is known; empty when nobody does. */
  get holder(): string {
    return this.#lease === undefined ? "" : holderOf(this.#lease);
  }

  isFresh(): boolean {
    const { monotonic, wall, times } = this.#settings;
    if (!this.#isLeading || this.#renewed === undefined) return false;
    const limit = times.renewDeadlineMs;
    return monotonic() - this.#renewed.monotonic < limit && wall() - this.#renewed.wall < limit;
  }

  start(): void {
    this.#watch();
    this.#loop = this.#run();
  }

  /** Gives the lease up so that another takes it at once; for a process that has stopped its work. */
  async release(): Promise<void> {
    const isHeld = this.isFresh();
    this.#isLeading = false;
    this.#ended.abort();
    this.#wake();
    await this.#loop;
    if (!isHeld || this.#lease === undefined) return;
    const { client, wall, fieldManager } = this.#settings;
    await client.update(leaseResource, releasedLease(this.#lease, wall()), fieldManager);
  }

  async #run(): Promise<void> {
    const { times, chance, monotonic, onError, onDeadConnection } = this.#settings;
    const isEnded = (): boolean => this.#ended.signal.aborted;
    let isUnanswered = false;
    while (!isEnded()) {
      let waitMs = times.retryMs * (0.9 + 0.2 * chance());
      const startedAt = monotonic();
      try {
        waitMs = Math.min(waitMs, await this.#step());
        if (isUnanswered && monotonic() - startedAt < promptMs) onDeadConnection();
        isUnanswered = false;
      } catch (error) {
        if (isEnded()) return;
        isUnanswered = isFailure(error, "Timeout");
        // It has waited long enough already, and goes another way.
        if (isUnanswered) waitMs = 0;
        // What others hold may have changed: it is read anew.
        if (!this.#isLeading || isFailure(error, "Conflict", "AlreadyExists", "NotFound")) this.#lease = undefined;
        if (!isFailure(error, "Conflict", "AlreadyExists")) onError(error);
      }
      if (this.#isLeading && !this.isFresh()) this.#lose("the lease could not be renewed in time");
      await this.#sleep(waitMs);
    }
  }

  /** Resolves to the time after which the next step may be due. */
  async #step(): Promise<number> {
    const { namespace, name, identity, monotonic, times } = this.#settings;
    // The holder's last answer is what it renews; everybody else looks each time.
    if (!this.#isLeading || this.#lease === undefined) {
      this.#see(await this.#client.get(leaseResource, { namespace, name }));
    }
    const step = nextStep({ identity, lease: this.#lease, observedAt: this.#observed.at, now: monotonic() });
    if (step.kind !== "wait") {
      await this.#hold(step.kind === "create");
      return times.retryMs;
    }
    if (this.#isLeading) this.#lose(`${step.holder} has taken the lease`);
    return step.forMs;
  }

  async #hold(isNew: boolean): Promise<void> {
    const { namespace, name, identity, fieldManager, times, monotonic, wall } = this.#settings;
    const asked = { monotonic: monotonic(), wall: wall() };
    const { durationMs } = times;
    const lease = heldLease(this.#lease, { namespace, name, identity, durationMs, at: asked.wall });
    const answer = isNew
      ? await this.#client.create(leaseResource, lease, fieldManager)
      : await this.#client.update(leaseResource, lease, fieldManager);
    this.#see(answer);
    this.#renewed = asked;
    if (this.#isLeading || this.#ended.signal.aborted) return;
    this.#isLeading = true;
    this.#elected.resolve();
  }

  #see(lease: RawObject | undefined): void {
    const version = lease?.metadata.resourceVersion ?? "";
    this.#lease = lease;
    if (version !== this.#observed.version) this.#observed = { version, at: this.#settings.monotonic() };
  }

  #lose(reason: string): void {
    this.#isLeading = false;
    this.#ended.abort();
    this.#lost.resolve(reason);
  }

  /** A lease that is given up is seen at once instead of at the next look. */
  #watch(): void {
    const { namespace, name, chance, monotonic, onError } = this.#settings;
    const query: ListQuery = { namespace, fieldSelector: `metadata.name=${name}` };
    const isMine = (lease: RawObject | undefined): boolean =>
      lease !== undefined && holderOf(lease) === this.#settings.identity;
    const reflector = new Reflector<RawObject>({
      client: this.#client,
      resource: leaseResource,
      query,
      store: new Store<RawObject>({
        onChange: ({ after }) => {
          if (!this.#isLeading || !isMine(after)) this.#wake();
        },
      }),
      view: (raw) => raw,
      times: reflectorTimes,
      chance,
      now: monotonic,
      stopping: this.#ended.signal,
    });
    reflector.run().catch(onError);
  }

  #wake(): void {
    this.#isWoken = true;
    this.#wakeUp();
  }

  /** Over at once when something has happened since the last sleep. */
  async #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#isWoken ? 0 : ms);
    this.#wakeUp = resolve;
    await promise;
    this.#isWoken = false;
    clearTimeout(timer);
  }
}

/**
 * Keeps a store equal to what the API server has, for ever: lists in pages, then watches from there. Whatever breaks is
 * tried again with a growing, jittered delay, from the last resourceVersion where the server still knows it (so nothing
 * is missed and nothing told twice), otherwise from a new list whose differences are told like events. The store keeps
 * its content meanwhile. Only `stopping` ends it.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Chance } from "../../../runtime/clock.ts";
import { type BackoffLimits, backoffMs } from "../backoff.ts";
import type { Client, ListQuery } from "../client/client.ts";
import { RequestError } from "../client/failure.ts";
import type { RawObject, Resource } from "../client/resource.ts";
import type { WatchEvent } from "../client/watchstream.ts";
import { type Kept, type Store, storeKey } from "./store.ts";

export interface ReflectorTimes {
  readonly backoff: BackoffLimits;
  /** Between these the server ends each watch, spread by chance. Kubernetes' own clients use 300 to 600 s. */
  readonly watchSeconds: { readonly min: number; readonly max: number };
  /** Bookmarks come about once a minute: a connection that is silent for longer has no server behind it. */
  readonly silenceMs: number;
  /** What nobody needs any more is followed for this long: a resource that is made anew finds it. */
  readonly unneededMs: number;
}

export const reflectorTimes: ReflectorTimes = {
  backoff: { firstMs: 500, maxMs: 10_000 },
  watchSeconds: { min: 290, max: 590 },
  silenceMs: 90_000,
  unneededMs: 60_000,
};

export type ReflectorEvent =
  | { readonly kind: "listed"; readonly objects: number }
  /** The server gives changes: it has been listed or resumed, and may be read. */
  | { readonly kind: "watching" }
  | { readonly kind: "watchEnded"; readonly error: RequestError | undefined }
  | { readonly kind: "failed"; readonly error: RequestError; readonly retryInMs: number };

export interface ReflectorSettings<T extends Kept> {
  readonly client: Client;
  readonly resource: Resource;
  readonly query: ListQuery;
  readonly store: Store<T>;
  /** What is kept of an object, where `known` is what is kept of it now; undefined: nothing. */
  readonly view: (raw: RawObject, known: T | undefined) => T | undefined;
  readonly times: ReflectorTimes;
  readonly chance: Chance;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly stopping: AbortSignal;
  /** What is forbidden is asked for again after this long at most, in milliseconds; instead of what `times` say. */
  readonly longestRefusalMs?: (() => number) | undefined;
  readonly observe?: ((event: ReflectorEvent) => void) | undefined;
}

/** Objects asked for at a time; what apiserver's own clients take. */
const pageSize = 500;
/** A watch that ended well after this long shows that the server is healthy. */
const healthyWatchMs = 5_000;

export class Reflector<T extends Kept> {
  readonly #settings: ReflectorSettings<T>;
  readonly #synced = Promise.withResolvers<void>();
  readonly #firstOutcome = Promise.withResolvers<RequestError | undefined>();
  readonly #decided = Promise.withResolvers<void>();
  #failures = 0;
  #isListNeeded = true;
  #error: RequestError | undefined;
  #isSynced = false;
  #hurry: () => void = () => {};

  constructor(settings: ReflectorSettings<T>) {
    this.#settings = settings;
  }

  /** Resolves when the first list is in the store. Never rejects. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Whether the store has ever held what the server has. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Resolves when the first list has succeeded (undefined) or failed. */
  get firstOutcome(): Promise<RequestError | undefined> {
    return this.#firstOutcome.promise;
  }

  /** Resolves when the first list has succeeded, or the server has said that there is no right to it. Never rejects. */
  get decided(): Promise<void> {
    return this.#decided.promise;
  }

  /** Why the server gives nothing at the moment; undefined while it does. */
  get error(): RequestError | undefined {
    return this.#error;
  }

  /** The cause of a failure may have gone: asks again now instead of when its pause is over. */
  hurry(): void {
    this.#hurry();
  }

  /** Resolves when `stopping` is aborted. */
  async run(): Promise<void> {
    await this.#follow();
    // Whoever waits for what will not come any more must not wait for ever, nor take it for nothing.
    const stopped = new RequestError({ kind: "Stopped", message: "it is not followed any more" });
    this.#error = stopped;
    this.#firstOutcome.resolve(stopped);
  }

  async #follow(): Promise<void> {
    const { stopping, observe } = this.#settings;
    const isStopping = (): boolean => stopping.aborted;
    while (!isStopping()) {
      try {
        if (this.#isListNeeded) await this.#list();
        await this.#watch();
      } catch (error) {
        if (isStopping()) return;
        const failure = asRequestError(error);
        this.#fail(failure);
        const retryInMs = this.#delay(failure);
        observe?.({ kind: "failed", error: failure, retryInMs });
        await this.#pause(retryInMs);
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    const hurried = new AbortController();
    this.#hurry = () => hurried.abort();
    await pauseFor(ms, AbortSignal.any([this.#settings.stopping, hurried.signal]));
    this.#hurry = () => {};
  }

  #fail(failure: RequestError): void {
    this.#failures += 1;
    this.#error = failure;
    this.#firstOutcome.resolve(failure);
    if (failure.kind === "Forbidden") this.#decided.resolve();
    if (failure.kind === "Gone") this.#isListNeeded = true;
  }

  #delay(failure: RequestError): number {
    const { times, chance, longestRefusalMs } = this.#settings;
    const refusedMs = failure.kind === "Forbidden" ? longestRefusalMs?.() : undefined;
    const limits = refusedMs === undefined ? times.backoff : { ...times.backoff, maxMs: refusedMs };
    return backoffMs({ limits, failures: this.#failures, chance, askedMs: failure.retryAfterMs });
  }

  #recover(): void {
    this.#failures = 0;
    this.#error = undefined;
  }

  async #list(): Promise<void> {
    const { client, resource, query, store, view, observe } = this.#settings;
    const objects = new Map<string, T>();
    let continueToken: string | undefined;
    let resourceVersion: string;
    do {
      const page = await client.list(resource, query, {
        limit: pageSize,
        ...(continueToken === undefined ? {} : { continueToken }),
      });
      for (const raw of page.items) {
        const kept = view(complete(raw, resource), store.get(storeKey(raw.metadata)));
        if (kept !== undefined) objects.set(storeKey(kept.metadata), kept);
      }
      ({ continueToken, resourceVersion } = page);
    } while (continueToken !== undefined);
    store.replace(objects, resourceVersion);
    this.#isListNeeded = false;
    this.#isSynced = true;
    this.#error = undefined;
    observe?.({ kind: "listed", objects: objects.size });
    this.#synced.resolve();
    this.#firstOutcome.resolve(undefined);
    this.#decided.resolve();
  }

  /** Returns when the server ended the watch in good order. */
  async #watch(): Promise<void> {
    const { client, resource, query, store, times, chance, now, stopping, observe } = this.#settings;
    const { min, max } = times.watchSeconds;
    const startedAt = now();
    let error: RequestError | undefined;
    try {
      const batches = await client.watch(
        resource,
        {
          ...query,
          resourceVersion: store.version,
          timeoutSeconds: Math.round(min + (max - min) * chance()),
          silenceMs: times.silenceMs,
        },
        stopping,
      );
      this.#error = undefined;
      observe?.({ kind: "watching" });
      for await (const events of batches) {
        this.#recover();
        for (const event of events) this.#take(event);
      }
      if (now() - startedAt > healthyWatchMs) this.#recover();
    } catch (thrown) {
      error = asRequestError(thrown);
      throw error;
    } finally {
      observe?.({ kind: "watchEnded", error });
    }
    // One that ends at once and tells nothing must not be asked for again in a tight loop.
    if (now() - startedAt < 1000) {
      this.#failures += 1;
      const delayMs = backoffMs({ limits: times.backoff, failures: this.#failures, chance });
      await pauseFor(delayMs, stopping);
    }
  }

  #take(event: WatchEvent): void {
    const { store, view, resource } = this.#settings;
    if (event.type === "BOOKMARK") {
      store.advance(event.resourceVersion);
      return;
    }
    const { object } = event;
    const known = store.get(storeKey(object.metadata));
    const kept = event.type === "DELETED" ? undefined : view(complete(object, resource), known);
    // What the view does not keep any more is gone for us.
    if (kept === undefined) store.delete(object.metadata);
    else store.put(kept);
  }
}

/** Rejected by the signal alone, which every loop looks for by itself. */
async function pauseFor(ms: number, stopping: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal: stopping }).catch(() => undefined);
}

/** Items of a list carry no kind of their own. */
function complete(raw: RawObject, { apiVersion, kind }: Resource): RawObject {
  return { ...raw, apiVersion, kind };
}

function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  // Not of the API server: a view that threw. It is tried again like everything else, and seen in the log.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new RequestError({ kind: "UnexpectedStatus", message, cause: error });
}

/**
 * Writes events.k8s.io/v1 Events, beside the work: emit() never waits and never fails. One that the server could not take now
 * is tried again for about a minute and a half, and those behind it wait. Events that cannot be written at all are counted and
 * lost, because what they say is in status as well; so are those beyond a short line.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Chance } from "../../runtime/clock.ts";
import { type BackoffLimits, backoffMs } from "./backoff.ts";
import type { Client } from "./client/client.ts";
import { isFailure } from "./client/failure.ts";
import type { Resource } from "./client/resource.ts";
import { EventBook, eventLimits, type Series } from "./eventseries.ts";
import type { KubeEvent } from "./kube.ts";
import { microTime } from "./leaserecord.ts";

export const eventResource: Resource = {
  apiVersion: "events.k8s.io/v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
};

export interface Regarded {
  readonly apiVersion: string;
  readonly uid: string | undefined;
}

export interface RecorderSettings {
  readonly client: Client;
  /** `mailboat.dev/operator`. */
  readonly controller: string;
  /** Which of several operators. */
  readonly instance: string;
  readonly fieldManager: string;
  /** What the object is now, so that `kubectl describe` finds its events. */
  readonly regarded: (event: KubeEvent) => Regarded;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly chance: Chance;
  readonly onError: (error: unknown) => void;
}

const backoff: BackoffLimits = { firstMs: 500, maxMs: 20_000 };
/** An event that the server takes at no time must not hold up the others for ever. */
const mostTries = 10;
/** Requests that wait; a server that is away must not make this grow. */
const longestLine = 500;
/** Of the API: longer notes are refused. */
const longestNote = 1024;

interface Waiting {
  readonly kind: "create" | "update";
  readonly series: Series;
}

export class EventRecorder {
  readonly #settings: RecorderSettings;
  readonly #book = new EventBook(eventLimits);
  readonly #line: Waiting[] = [];
  /** Ends the tries. */
  readonly #ended = new AbortController();
  #writing: Promise<void> | undefined;
  #made = 0;
  #lost = 0;

  constructor(settings: RecorderSettings) {
    this.#settings = settings;
  }

  /** Events that nobody will see. */
  get lost(): number {
    return this.#lost + this.#book.dropped;
  }

  emit(event: KubeEvent): void {
    const now = this.#settings.now();
    this.#made += 1;
    const name = `${event.regarding.name.slice(0, 200)}.${now.toString(16)}${this.#made.toString(16).padStart(4, "0")}`;
    const decision = this.#book.judge(event, name, now);
    if (decision.kind === "hold") return;
    if (this.#line.length >= longestLine) {
      this.#lost += 1;
      return;
    }
    this.#line.push(decision);
    this.#writing ??= this.#write();
  }

  /** Resolves when nothing waits to be written, or after that many milliseconds: what waits then is lost. */
  async close(withinMs: number): Promise<void> {
    const stop = new AbortController();
    const late = pause(withinMs, undefined, { signal: stop.signal }).catch(() => undefined);
    await Promise.race([this.#writing, late]);
    stop.abort();
    this.#ended.abort();
    this.#lost += this.#line.splice(0).length;
  }

  async #write(): Promise<void> {
    for (let next = this.#line.shift(); next !== undefined; next = this.#line.shift()) {
      try {
        await this.#try(next);
      } catch (error) {
        this.#lost += 1;
        // An event of an object whose namespace is ending, or a process that stops: nobody misses it.
        if (!isFailure(error, "Forbidden", "NotFound", "Fenced", "Stopped")) this.#settings.onError(error);
      }
    }
    this.#writing = undefined;
  }

  async #try(next: Waiting): Promise<void> {
    const { chance } = this.#settings;
    for (let failures = 1; ; failures += 1) {
      try {
        await (next.kind === "create" ? this.#create(next.series) : this.#update(next.series));
        return;
      } catch (error) {
        // An earlier try whose answer was lost has made it.
        if (isFailure(error, "AlreadyExists")) return;
        const isPassing = isFailure(error, "ServerError", "TooManyRequests", "Timeout", "Connection");
        if (!isPassing || failures === mostTries || this.#ended.signal.aborted) throw error;
        const delayMs = backoffMs({ limits: backoff, failures, chance, askedMs: error.retryAfterMs });
        await pause(delayMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
      }
    }
  }

  async #create({ event, name, lastAt }: Series): Promise<void> {
    const { client, controller, instance, fieldManager } = this.#settings;
    const { kind, namespace } = event.regarding;
    const { apiVersion, uid } = this.#settings.regarded(event);
    await client.create(
      eventResource,
      {
        apiVersion: eventResource.apiVersion,
        kind: eventResource.kind,
        metadata: { name, namespace },
        eventTime: microTime(lastAt),
        reportingController: controller,
        reportingInstance: instance,
        action: "Reconcile",
        reason: event.reason,
        note: event.note.slice(0, longestNote),
        type: event.type,
        regarding: { apiVersion, kind, namespace, name: event.regarding.name, ...(uid === undefined ? {} : { uid }) },
      },
      fieldManager,
    );
  }

  async #update({ event, name, count, lastAt }: Series): Promise<void> {
    const { client, fieldManager } = this.#settings;
    const place = { namespace: event.regarding.namespace, name };
    const body = { series: { count, lastObservedTime: microTime(lastAt) } };
    await client.mergePatch(eventResource, place, { body, fieldManager });
  }
}

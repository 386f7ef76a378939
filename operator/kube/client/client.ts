/**
 * The verbs of the API server over raw JSON. Every failure is a RequestError. A write asks the fence right before it is
 * sent, after any wait for a free slot, so that a process that was paused for a while sends nothing in between.
 */
import type { IncomingMessage } from "node:http";
import { failureOf, RequestError } from "./failure.ts";
import { isRawObject, isRecord, pathOf, type Place, type RawObject, type Resource } from "./resource.ts";
import { Slots } from "./slots.ts";
import { brokenOff, type Transport } from "./transport.ts";
import { type WatchEvent, watchEvents } from "./watchstream.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "apply" | "delete" | "discover";

/** `code` is the HTTP status, 0 when there was none. */
export type RequestObserver = (made: {
  readonly verb: Verb;
  readonly resource: string;
  readonly code: number;
  readonly durationMs: number;
  /** What a write is for; absent for reads. */
  readonly object?: Written | undefined;
}) => void;

export interface Written {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly subresource?: string | undefined;
}

/** From the call to the whole answer, in milliseconds. */
export interface Deadlines {
  readonly readMs: number;
  readonly writeMs: number;
}

export interface ClientSettings {
  readonly transport: Transport;
  /** Requests at the same time, watches apart. */
  readonly concurrency: number;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  /** Breaks off what runs and refuses what comes. */
  readonly stopping?: AbortSignal | undefined;
  /** False: no write leaves. */
  readonly mayWrite?: (() => boolean) | undefined;
  readonly observe?: RequestObserver | undefined;
  readonly deadlines?: Deadlines | undefined;
}

export interface ListQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Only metadata travels (PartialObjectMetadata). */
  readonly metadataOnly?: boolean | undefined;
}

export interface Page {
  readonly items: readonly RawObject[];
  readonly resourceVersion: string;
  /** Present when there is more. */
  readonly continueToken: string | undefined;
}

export interface WatchQuery extends ListQuery {
  readonly resourceVersion: string;
  /** The server ends the watch after this time. */
  readonly timeoutSeconds: number;
  /** See watchEvents(). */
  readonly silenceMs: number;
}

export interface ApplyOptions {
  readonly fieldManager: string;
  readonly subresource?: "status" | undefined;
  /** The answer is metadata alone. */
  readonly metadataOnly?: boolean | undefined;
}

export interface Preconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/**
 * A read may be a page of 500 objects from a server under load. A write ends within the time that a lease lasts beyond its
 * renewal deadline (leaserecord.ts), so that none of a leader that lost it is still on its way when the next one begins.
 */
const usualDeadlines: Deadlines = { readMs: 30_000, writeMs: 5_000 };
const json = "application/json";
const partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const partialList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

interface Ask {
  readonly verb: Verb;
  readonly resource: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly target: string;
  readonly accept?: string | undefined;
  readonly contentType?: string | undefined;
  readonly body?: unknown;
  readonly object?: Written;
}

export class Client {
  readonly #settings: ClientSettings;
  readonly #slots: Slots;
  readonly #deadlines: Deadlines;
  /** Requests that are under way. Each is let go when it ends: a signal with a timer of its own would keep it until then. */
  readonly #underWay = new Set<AbortController>();

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    settings.stopping?.addEventListener("abort", () => {
      for (const request of this.#underWay) request.abort(settings.stopping?.reason);
    });
    this.#slots = new Slots(settings.concurrency);
    this.#deadlines = settings.deadlines ?? usualDeadlines;
  }

  /** Over the same pool, with other settings and slots of its own. */
  with(settings: Partial<ClientSettings>): Client {
    return new Client({ ...this.#settings, ...settings });
  }

  /** Undefined when it does not exist. */
  async get(resource: Resource, place: Place, metadataOnly = false): Promise<RawObject | undefined> {
    try {
      const accept = metadataOnly ? partial : json;
      return objectIn(await this.#ask({ ...read(resource, "get", pathOf(resource, place)), accept }));
    } catch (error) {
      if (error instanceof RequestError && error.kind === "NotFound") return undefined;
      throw error;
    }
  }

  async list(resource: Resource, query: ListQuery, page: { limit?: number; continueToken?: string }): Promise<Page> {
    const target = withQuery(pathOf(resource, { namespace: query.namespace }), {
      ...selectors(query),
      limit: page.limit?.toString(),
      continue: page.continueToken,
    });
    const accept = query.metadataOnly === true ? partialList : json;
    return pageIn(await this.#ask({ ...read(resource, "list", target), accept }));
  }

  /** Resolves once the server has accepted the watch. */
  async watch(
    resource: Resource,
    query: WatchQuery,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly WatchEvent[]>> {
    const target = withQuery(pathOf(resource, { namespace: query.namespace }), {
      ...selectors(query),
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: query.resourceVersion,
      timeoutSeconds: query.timeoutSeconds.toString(),
    });
    const accept = query.metadataOnly === true ? partial : json;
    const started = new AbortController();
    const deadline = setTimeout(
      () => started.abort(new DOMException("no answer", "TimeoutError")),
      this.#deadlines.readMs,
    );
    const either = this.#signal([signal, started.signal]);
    try {
      const body = await this.#send({ ...read(resource, "watch", target), accept }, either);
      return watchEvents({ body, silenceMs: query.silenceMs, request: `watch ${resource.plural}` });
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Server-side apply, with force: fields that the object names become this manager's. */
  async apply(resource: Resource, object: RawObject, options: ApplyOptions): Promise<RawObject> {
    const { name, namespace } = object.metadata;
    const { fieldManager, subresource } = options;
    return objectIn(
      await this.#ask({
        ...write(resource, "apply", { namespace, name, subresource }),
        method: "PATCH",
        target: withQuery(pathOf(resource, { namespace, name, subresource }), { fieldManager, force: "true" }),
        accept: options.metadataOnly === true ? partial : json,
        // JSON is YAML; the server knows no other name for this patch.
        contentType: "application/apply-patch+yaml",
        body: object,
      }),
    );
  }

  /** RFC 7396: null removes. A `resourceVersion` in the patch's metadata makes it fail with Conflict when that has moved on. */
  async mergePatch(resource: Resource, place: Place, patch: MergePatch): Promise<RawObject> {
    return objectIn(
      await this.#ask({
        ...write(resource, "patch", place),
        method: "PATCH",
        target: withQuery(pathOf(resource, place), { fieldManager: patch.fieldManager }),
        accept: patch.metadataOnly === true ? partial : json,
        contentType: "application/merge-patch+json",
        body: patch.body,
      }),
    );
  }

  async create(resource: Resource, object: RawObject, fieldManager: string): Promise<RawObject> {
    const target = withQuery(pathOf(resource, { namespace: object.metadata.namespace }), { fieldManager });
    const ask = { ...write(resource, "create", object.metadata), target, body: object };
    return objectIn(await this.#ask({ ...ask, method: "POST" }));
  }

  /** Replaces the whole object; its resourceVersion guards against what others wrote meanwhile. */
  async update(resource: Resource, object: RawObject, fieldManager: string): Promise<RawObject> {
    const { name, namespace } = object.metadata;
    const target = withQuery(pathOf(resource, { namespace, name }), { fieldManager });
    const ask = { ...write(resource, "update", object.metadata), target, body: object };
    return objectIn(await this.#ask({ ...ask, method: "PUT" }));
  }

  /** Gone already is success. Rejects with Conflict when a precondition does not hold. */
  async delete(resource: Resource, place: Place, preconditions: Preconditions): Promise<void> {
    const body = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background", preconditions };
    const target = pathOf(resource, place);
    try {
      await this.#ask({ ...write(resource, "delete", place), method: "DELETE", target, body });
    } catch (error) {
      if (!(error instanceof RequestError) || error.kind !== "NotFound") throw error;
    }
  }

  /** Whether the server has the resource now. */
  async serves(resource: Resource): Promise<boolean> {
    const target = pathOf({ ...resource, namespaced: false, plural: "" }).replace(/\/$/, "");
    try {
      const found = await this.#ask({ verb: "discover", resource: resource.plural, method: "GET", target });
      const resources = isRecord(found) ? found["resources"] : undefined;
      return Array.isArray(resources) && resources.some((one) => isRecord(one) && one["name"] === resource.plural);
    } catch (error) {
      if (error instanceof RequestError && error.kind === "NotFound") return false;
      throw error;
    }
  }

  /** What stands beside the resources (a nonResourceURL), as it is. */
  async document(path: string): Promise<unknown> {
    // A JWK Set has a type of its own, and is not given to whoever asks for JSON alone.
    return this.#ask({ ...read({ plural: path.replace(/.*\//, "") }, "get", path), accept: `${json}, */*` });
  }

  #ask(ask: Ask): Promise<unknown> {
    const { readMs, writeMs } = this.#deadlines;
    return this.#slots.run(async () => {
      const { stopping } = this.#settings;
      const request = new AbortController();
      const late = (): void => request.abort(new DOMException("no answer", "TimeoutError"));
      const deadline = setTimeout(late, ask.method === "GET" ? readMs : writeMs);
      this.#underWay.add(request);
      if (stopping?.aborted === true) request.abort(stopping.reason);
      try {
        const answer = await this.#send(ask, request.signal);
        return await readJson(answer, ask, request.signal);
      } finally {
        clearTimeout(deadline);
        this.#underWay.delete(request);
      }
    });
  }

  /** Resolves with the answer's stream when the request succeeded. */
  async #send(ask: Ask, signal: AbortSignal): Promise<IncomingMessage> {
    const { transport, mayWrite, observe, now } = this.#settings;
    const fence = (): void => {
      if (ask.method === "GET" || mayWrite?.() !== false) return;
      const message = `${ask.method} ${ask.target}: not sent, the lease is not fresh`;
      throw new RequestError({ kind: "Fenced", message });
    };
    fence();
    const startedAt = now();
    const body = ask.body === undefined ? undefined : JSON.stringify(ask.body);
    let code = 0;
    try {
      const answer = await transport.send({
        method: ask.method,
        target: ask.target,
        headers: headersOf(ask, body),
        body,
        isRepeatable: ask.verb !== "create" && ask.verb !== "update",
        fence,
        signal,
      });
      code = answer.statusCode ?? 0;
      if (code >= 200 && code <= 299) return answer;
      throw failureOf({
        code,
        retryAfter: answer.headers["retry-after"],
        body: await readJson(answer, ask, signal),
        request: `${ask.method} ${ask.target.split("?")[0] ?? ""}`,
      });
    } finally {
      observe?.({ verb: ask.verb, resource: ask.resource, code, durationMs: now() - startedAt, object: ask.object });
    }
  }

  #signal(signals: readonly AbortSignal[]): AbortSignal {
    const { stopping } = this.#settings;
    return AbortSignal.any(stopping === undefined ? [...signals] : [...signals, stopping]);
  }
}

export interface MergePatch {
  readonly body: Readonly<Record<string, unknown>>;
  readonly fieldManager: string;
  readonly metadataOnly?: boolean | undefined;
}

function read(resource: Pick<Resource, "plural">, verb: Verb, target: string): Ask {
  return { verb, resource: resource.plural, method: "GET", target };
}

function write(resource: Resource, verb: Verb, place: Place): Pick<Ask, "verb" | "resource" | "object"> {
  const { namespace, name = "", subresource } = place;
  return { verb, resource: resource.plural, object: { kind: resource.kind, namespace, name, subresource } };
}

function selectors(query: ListQuery): Readonly<Record<string, string | undefined>> {
  return { labelSelector: query.labelSelector, fieldSelector: query.fieldSelector };
}

function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(query).flatMap(([key, value]) =>
    value === undefined || value === "" ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  return parts.length === 0 ? path : `${path}?${parts.join("&")}`;
}

function headersOf(ask: Ask, body: string | undefined): Record<string, string> {
  return {
    accept: ask.accept ?? json,
    "user-agent": "mailboat-operator",
    ...(body === undefined
      ? {}
      : { "content-type": ask.contentType ?? json, "content-length": Buffer.byteLength(body).toString() }),
  };
}

/** The whole body as JSON, or as its text where it is none. */
async function readJson(answer: IncomingMessage, ask: Ask, signal: AbortSignal): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    throw brokenOff({ method: ask.method, target: ask.target, signal }, error);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function objectIn(value: unknown): RawObject {
  if (isRawObject(value)) return value;
  throw new RequestError({ kind: "ServerError", message: "the answer is no object" });
}

function pageIn(value: unknown): Page {
  const metadata = isRecord(value) ? value["metadata"] : undefined;
  const items = isRecord(value) ? value["items"] : undefined;
  // Go writes an empty list as null where it was never made.
  const list: readonly unknown[] = Array.isArray(items) ? items : [];
  if (!isRecord(metadata) || typeof metadata["resourceVersion"] !== "string" || !list.every(isRawObject)) {
    throw new RequestError({ kind: "ServerError", message: "the answer is no list" });
  }
  const token = metadata["continue"];
  return {
    items: list,
    resourceVersion: metadata["resourceVersion"],
    continueToken: typeof token === "string" && token !== "" ? token : undefined,
  };
}

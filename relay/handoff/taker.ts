/**
 * Takes mail from a pod of the same relay that leaves: the routes of the administration port for it.
 *
 * Promise: 201 follows a synced transaction. Whoever asks whether an offer was taken gets an answer that stays true: once it is
 * no, that offer is not taken any more, even when its last octets are still on their way here.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Route } from "../administration/route.ts";
import type { HandoffTracer } from "../observe/handoffspan.ts";
import type { Journal } from "../observe/journal.ts";
import type { HandoffMetrics } from "./metrics.ts";
import type { SpoolId } from "../spool/message/id.ts";
import type { HandoffSpool, OfferName } from "../spool/offers.ts";
import type { WholeMessage } from "../spool/message/message.ts";
import type { Starter } from "../spool/start.ts";
import { SpoolFullError, type Spool } from "../spool/verbs.ts";
import { recordTaken } from "./lines.ts";
import { ByteSource, handoffPath, headerName, readHead, spoolIdFrom, WireError } from "./wire.ts";

export interface TakerOptions {
  readonly spool: Pick<Spool, "begin" | "isFull"> & { readonly handoff: HandoffSpool };
  readonly delivery: Pick<Starter, "arrived">;
  /** Whether mail may come in; pass() holds what is being committed. */
  readonly gate: { isOpen(): boolean; pass<T>(receive: () => Promise<T>): Promise<T> };
  readonly tracer: HandoffTracer;
  readonly journal: Journal;
  readonly metrics: HandoffMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Taker {
  readonly routes: readonly Route[];
  /** Ends the forgetting of old offers; transfers end with the server. */
  close(): void;
}

/** A giver asks for an hour after its start whether an offer was taken; a day leaves room for one that was away. */
const rememberedMs = 24 * 3_600_000;
const forgetEveryMs = 3_600_000;
/** Offers that were denied: their transfers end within the server's time limits, long before so many others came. */
const rememberedDenials = 10_000;

export function openTaker(options: TakerOptions): Taker {
  const taker = new HandoffTaker(options);
  const forget = (): void => {
    forgetOld(options).catch((error: unknown) => {
      options.log.error({ error: String(error) }, "could not forget old offers of peers");
    });
  };
  // Not at once: a giver that was away as long as this pod, in hibernation say, must get to ask first.
  const timer = setInterval(forget, forgetEveryMs).unref();
  return { routes: taker.routes, close: () => clearInterval(timer) };
}

async function forgetOld({ spool, clock }: TakerOptions): Promise<void> {
  const before = clock.now() - rememberedMs;
  while ((await spool.handoff.forgetReceived(before)) > 0);
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Commit {
  readonly request: IncomingMessage;
  /** Told as soon as the message is in the spool. */
  readonly progress: { isKept: boolean };
}

class HandoffTaker {
  readonly #options: TakerOptions;
  /** Messages that are on their way in, until they are committed or given up. */
  readonly #receptions = new Map<SpoolId, Promise<unknown>>();
  /** Oldest first. */
  readonly #denied = new Set<string>();

  constructor(options: TakerOptions) {
    this.#options = options;
  }

  get routes(): readonly Route[] {
    const route = (method: "PUT" | "GET", answer: Answering): Route => ({
      method,
      path: handoffPath,
      allowed: "peer",
      answer: async (request, response, rest) => end(request, response, await this.#checked(request, rest, answer)),
    });
    return [
      route("PUT", async (name, request) => this.#receive(name, request)),
      route("GET", async (name) => this.#tell(name)),
    ];
  }

  async #checked(request: IncomingMessage, rest: string, answer: Answering): Promise<Answer> {
    const id = spoolIdFrom(rest);
    const [offer, spool] = [headerOf(request, headerName.offer), headerOf(request, headerName.spool)];
    if (id === undefined || offer === undefined || spool === undefined) {
      return { status: 400, text: "a spool id in the path and the headers of an offer are needed" };
    }
    // It would be told that its own message is known here, and remove it.
    if (spool === this.#options.spool.handoff.spoolId) return { status: 421, text: "this is the spool that gives" };
    return answer({ id, offer }, request);
  }

  async #receive(name: OfferName, request: IncomingMessage): Promise<Answer> {
    if (this.#receptions.has(name.id)) return { status: 409, text: "the message is being received" };
    const reception = this.#take(name, request);
    this.#receptions.set(name.id, reception);
    try {
      const answer = await reception;
      this.#options.metrics.taken(answer.status === 201 ? "taken" : answer.status === 200 ? "known" : "refused");
      return answer;
    } finally {
      this.#receptions.delete(name.id);
    }
  }

  async #take(name: OfferName, request: IncomingMessage): Promise<Answer> {
    const { spool, gate } = this.#options;
    if (await spool.handoff.knows(name)) return known;
    if ((await spool.handoff.offered(name.id)) !== undefined) return undecided;
    if (!gate.isOpen()) return closed;
    if (spool.isFull()) return full;
    const writer = spool.begin(name.id);
    // Not destroyed with the iterator: the giver is still to be answered.
    const source = new ByteSource(request.iterator({ destroyOnReturn: false }));
    const progress = { isKept: false };
    try {
      const incoming = await readHead(source);
      for await (const chunk of source.upTo(incoming.bodyBytes)) await writer.write(chunk);
      await source.end();
      const message = { ...incoming.message, id: name.id, body: await writer.finish() };
      return await this.#commit(name, { message, recipients: incoming.recipients }, { request, progress });
    } catch (error) {
      if (error instanceof SpoolFullError) return full;
      if (error instanceof WireError) return { status: 400, text: error.message };
      throw error;
    } finally {
      await source.close();
      // Whatever failed after the commit: the body is the message's now.
      if (!progress.isKept) await writer.abort();
    }
  }

  async #commit(name: OfferName, whole: WholeMessage, { request, progress }: Commit): Promise<Answer> {
    const { spool, gate, tracer, clock, delivery } = this.#options;
    const from = headerOf(request, headerName.from) ?? "a peer";
    const span = tracer.take({ ...whole, now: clock.now(), context: headerOf(request, headerName.trace) });
    let outcome = "refused";
    try {
      // From here to the spool's own queue of writes nothing is waited for: a denial comes before it or after the commit.
      if (this.#denied.has(denialOf(name))) return { status: 410, text: "the giver was told that it is not here" };
      if (!gate.isOpen()) return closed;
      const result = await gate.pass(async () =>
        spool.handoff.receive({ ...whole, offer: name.offer, now: clock.now(), offeredAt: offeredAtOf(request) }),
      );
      outcome = result;
      if (result === "known") return known;
      progress.isKept = true;
      delivery.arrived(whole.recipients.reduce((first, { dueAt }) => Math.min(first, dueAt), Number.MAX_SAFE_INTEGER));
      recordTaken({ whole, peer: from, traceId: span?.traceId }, this.#options.journal);
      return { status: 201, text: "taken" };
    } finally {
      span?.end(outcome);
    }
  }

  /** 404 is a promise: the offer is denied first, so that what is on its way in cannot be committed after the answer. */
  async #tell(name: OfferName): Promise<Answer> {
    const denial = denialOf(name);
    this.#denied.add(denial);
    for (const oldest of this.#denied) {
      if (this.#denied.size <= rememberedDenials) break;
      this.#denied.delete(oldest);
    }
    if (!(await this.#options.spool.handoff.knows(name))) return { status: 404, text: "not here" };
    this.#denied.delete(denial);
    return known;
  }
}

type Answering = (name: OfferName, request: IncomingMessage) => Promise<Answer>;

const known: Answer = { status: 200, text: "known" };
const closed: Answer = { status: 409, text: "this pod takes no mail: it leaves or stops" };
const undecided: Answer = { status: 409, text: "it is not known yet whether this message is here" };
const full: Answer = { status: 507, text: "the spool is full" };

function denialOf({ id, offer }: OfferName): string {
  return `${id} ${offer}`;
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Undefined from a giver of the release before. */
function offeredAtOf(request: IncomingMessage): number | undefined {
  const text = headerOf(request, headerName.offeredAt);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** What is left of a body that is not wanted is read and dropped: a connection that is cut would lose the answer. */
function end(request: IncomingMessage, response: ServerResponse, { status, text }: Answer): void {
  request.resume();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}

/**
 * A stub resolver: servers in turn, retries, a cache, and one question on the wire for all who ask the same.
 *
 * Promise: ask() never rejects and ends within the sum of its timeouts, which begin anew when EDNS or UDP has to be given
 * up. A server that did not answer is asked last for a while, so that a dead one costs its timeout once and not for every name.
 */
import type { Clock } from "../../runtime/clock.ts";
import type { Answer, Lookup, Question } from "./answer.ts";
import { AnswerCache, keyOf } from "./cache.ts";
import { askServer } from "./query.ts";
import { systemServers, type NameServer } from "./servers.ts";

export interface ResolverOptions {
  readonly clock: Clock;
  /** Empty means those of /etc/resolv.conf, which is read again every half minute. */
  readonly servers: readonly NameServer[];
  /** How long a server may take, in ms, for each round over the servers. */
  readonly timeoutsMs?: readonly number[];
}

/** A lost packet costs the first; who is slow gets the second. */
const defaultTimeoutsMs = [2_000, 4_000];
const rereadMs = 30_000;
const avoidMs = 30_000;
const aliasLimit = 8;
/** Questions on the wire at a time; each has a socket. */
const questionsInFlight = 200;

export class Resolver implements Lookup {
  readonly #options: ResolverOptions;
  readonly #cache = new AnswerCache();
  readonly #pending = new Map<string, Promise<Answer>>();
  readonly #silentUntil = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #queue: (() => void)[] = [];
  #inFlight = 0;
  #system: { readonly servers: readonly NameServer[]; readonly readAt: number } | undefined;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  ask(question: Question): Promise<Answer> {
    const cached = this.#cache.get(question, this.#options.clock.now());
    if (cached !== undefined) return Promise.resolve(cached);
    const key = keyOf(question);
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const answer = this.#inTurn(() => this.#follow(question)).then((found) => {
      this.#pending.delete(key);
      if (!this.#stopping.signal.aborted) this.#cache.put(question, found, this.#options.clock.now());
      return found;
    });
    this.#pending.set(key, answer);
    return answer;
  }

  /** Ends every question at once, as trouble. */
  close(): void {
    this.#stopping.abort();
  }

  async #inTurn(work: () => Promise<Answer>): Promise<Answer> {
    if (this.#inFlight >= questionsInFlight) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#inFlight += 1;
    try {
      return await work();
    } catch (error) {
      return { kind: "trouble", detail: String(error) };
    } finally {
      this.#inFlight -= 1;
      this.#queue.shift()?.();
    }
  }

  /** Most servers follow aliases themselves; for those that stop at the zone's edge we go on. */
  async #follow(question: Question): Promise<Answer> {
    let { name } = question;
    let ttlSeconds = Number.POSITIVE_INFINITY;
    for (let aliases = 0; aliases <= aliasLimit; aliases += 1) {
      const found = await this.#askServers({ ...question, name });
      if (!("target" in found)) {
        return found.kind === "trouble" ? found : { ...found, ttlSeconds: Math.min(ttlSeconds, found.ttlSeconds) };
      }
      ttlSeconds = Math.min(ttlSeconds, found.ttlSeconds);
      name = found.target;
    }
    return { kind: "trouble", detail: "aliases lead in a circle" };
  }

  async #askServers(question: Question): Promise<Answer | { readonly target: string; readonly ttlSeconds: number }> {
    const servers = await this.#servers();
    const refused = new Set<NameServer>();
    let detail = "no name server";
    for (const timeoutMs of this.#options.timeoutsMs ?? defaultTimeoutsMs) {
      for (const server of servers) {
        if (refused.has(server) || this.#stopping.signal.aborted) continue;
        const reading = await askServer({ server, question, timeoutMs, stopping: this.#stopping.signal });
        if (reading.kind === "answer") return reading.answer;
        if (reading.kind === "alias") return reading;
        const word = reading.kind === "failed" ? reading.detail : reading.kind;
        detail = `${word} from ${server.address}`;
        if (word === "timeout") this.#silentUntil.set(wordOf(server), this.#options.clock.now() + avoidMs);
        else refused.add(server);
      }
    }
    return { kind: "trouble", detail };
  }

  /** Those that were silent lately last. */
  async #servers(): Promise<readonly NameServer[]> {
    const { servers, clock } = this.#options;
    const now = clock.now();
    if (servers.length === 0 && (this.#system === undefined || now - this.#system.readAt > rereadMs)) {
      this.#system = { servers: await systemServers(), readAt: now };
    }
    const all = servers.length > 0 ? servers : (this.#system?.servers ?? []);
    const isSilent = (server: NameServer): boolean => (this.#silentUntil.get(wordOf(server)) ?? 0) > now;
    return [...all.filter((server) => !isSilent(server)), ...all.filter(isSilent)];
  }
}

function wordOf({ address, port }: NameServer): string {
  return `${address} ${port}`;
}

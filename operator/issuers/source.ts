/**
 * Keys of token issuers, for all relays together: read when they are first asked for, then every hour, and when a pod tells of a token
 * whose key nobody knows. Whoever can reach a relay can invent such tokens: that makes one reading a minute of each issuer, and no more.
 *
 * On failure: the keys that were read before stay, the issuer is asked again a minute later, and status says why. A look waits for a
 * reading for a moment only; one that takes longer is there for the next look, and one that does not end counts as failed.
 */
import { ForbiddenError, type Kube } from "../kube/kube.ts";
import { readDiscovery, readTokenKeys } from "../../api/identity/tokenkey.ts";
import { type FetchIssuer, fetchIssuer, type IssuerQuestion, someOf } from "./fetch.ts";
import type { IssuerFact, IssuerFailure, IssuerKeys } from "./issuer.ts";

export interface IssuerSource {
  /** `isAwaited`: a pod has seen a token whose key it does not have. */
  cluster(isAwaited: boolean): Promise<IssuerFact>;
  oidc(question: IssuerQuestion, isAwaited: boolean): Promise<IssuerFact>;
}

export interface IssuerSourceParts {
  readonly kube: Pick<Kube, "tokenIssuer">;
  readonly now: () => number;
  /** Over HTTPS when absent. */
  readonly fetch?: FetchIssuer;
  /** How long a look waits; the usual when absent. */
  readonly patienceMs?: number;
}

const hourMs = 3_600_000;
const minuteMs = 60_000;
const usualPatienceMs = 1_000;
/** Above what two documents may take; a reading that never ends would be the last one. */
const longestReadingMs = 30_000;

interface Entry {
  found: IssuerKeys | undefined;
  failure: IssuerFailure | undefined;
  /** When a reading last began. */
  readAt: number | undefined;
  /** When one last began because a pod waited for a key. */
  hurriedAt: number | undefined;
  askedAt: number;
  reading: Promise<void> | undefined;
}

type Reader = () => Promise<IssuerKeys | "none">;

export function createIssuerSource(parts: IssuerSourceParts): IssuerSource {
  const { kube, now, fetch = fetchIssuer, patienceMs = usualPatienceMs } = parts;
  const entries = new Map<string, Entry>();
  const ask = async (key: string, isAwaited: boolean, read: Reader): Promise<IssuerFact> => {
    const at = now();
    const entry = entries.get(key) ?? emptyEntry(at);
    entries.set(key, entry);
    entry.askedAt = at;
    for (const [other, { askedAt }] of entries) if (at - askedAt > 2 * hourMs) entries.delete(other);
    if (entry.reading !== undefined && isAgo(entry.readAt, longestReadingMs, at)) {
      entry.reading = undefined;
      entry.failure = { kind: "unreadable", why: "no answer in time" };
    }
    const isHurried = isAwaited && isAgo(entry.hurriedAt, minuteMs, at);
    if (entry.reading === undefined && (isHurried || isDue(entry, at))) {
      entry.readAt = at;
      if (isHurried) entry.hurriedAt = at;
      entry.reading = carryOut(entry, at, read);
      await waitFor(entry.reading, patienceMs);
    }
    return { found: entry.found, failure: entry.failure, isReading: entry.reading !== undefined };
  };
  return {
    cluster: async (isAwaited) => ask("", isAwaited, async () => clusterKeys(kube)),
    oidc: async (question, isAwaited) =>
      ask(`${question.issuer}\n${question.ca ?? ""}`, isAwaited, async () => fetch(question)),
  };
}

function emptyEntry(askedAt: number): Entry {
  return { found: undefined, failure: undefined, readAt: undefined, hurriedAt: undefined, askedAt, reading: undefined };
}

function isDue({ readAt, failure }: Entry, at: number): boolean {
  return isAgo(readAt, failure === undefined ? hourMs : minuteMs, at);
}

/** A clock that was set back says nothing about how long ago it was. */
function isAgo(then: number | undefined, forMs: number, at: number): boolean {
  return then === undefined || at < then || at - then >= forMs;
}

/** Never rejects. What a reading brings after another has begun is of no interest. */
async function carryOut(entry: Entry, begunAt: number, read: Reader): Promise<void> {
  const outcome = await outcomeOf(read);
  if (entry.readAt !== begunAt) return;
  entry.reading = undefined;
  entry.failure = "failure" in outcome ? outcome.failure : undefined;
  if ("found" in outcome) entry.found = outcome.found;
}

async function outcomeOf(read: Reader): Promise<{ found: IssuerKeys } | { failure: IssuerFailure }> {
  try {
    const answer = await read();
    return answer === "none" ? { failure: { kind: "none" } } : { found: answer };
  } catch (error) {
    return { failure: failureIn(error) };
  }
}

function failureIn(error: unknown): IssuerFailure {
  if (error instanceof ForbiddenError) return { kind: "forbidden" };
  return { kind: "unreadable", why: whyOf(error) };
}

/** Of a host with several addresses Node tells one error for each, and nothing in the message that holds them. */
function whyOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return whyOf(error.errors[0]);
  return error instanceof Error && error.message !== "" ? error.message : String(error);
}

async function clusterKeys(kube: Pick<Kube, "tokenIssuer">): Promise<IssuerKeys | "none"> {
  const answers = await kube.tokenIssuer();
  if (answers === undefined) return "none";
  const discovery = readDiscovery(answers.discovery);
  const keys = readTokenKeys(answers.keys);
  if (discovery === undefined || keys === undefined) throw new Error("the API server does not say its issuer and keys");
  return { issuer: discovery.issuer, keys: someOf(keys) };
}

async function waitFor(reading: Promise<void>, patienceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, patienceMs);
  await Promise.race([reading, promise]);
  clearTimeout(timer);
}

/**
 * What an operator remembers of relays between two looks: rates, recommendations, writes and orders to pods, refusals,
 * what pods have loaded. All of it may be lost; a new operator starts with none and is then careful, not wrong.
 */
import { documentVersions } from "../../api/relayconfig.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import { Turns } from "./turns.ts";
import { gistOf } from "./likeness.ts";
import { Rejections } from "./rejections.ts";
import type { Rest } from "../pods/rest.ts";
import type { Figures, OrderFailure, Recommendation, Refusal } from "../pods/facts.ts";

interface Sample {
  readonly at: number;
  readonly accepted: number;
  readonly startedAt: string;
  readonly perSecond: number | undefined;
}

interface GivenOrder {
  readonly at: number;
  /** Of the order to leave; undefined when none was given or it was taken back. */
  readonly digest: string | undefined;
  readonly failure: OrderFailure | undefined;
}

/** A pod: the process of today, its name, which comes back with the next one, and what it was made from. */
interface Reporter {
  readonly uid: string;
  readonly key: string;
  readonly template: string | undefined;
}

interface Reading {
  readonly at: number;
  readonly template: string | undefined;
  readonly newest: number;
}

/** Rates over less time than this say more about chance than about load. */
const sampleMs = 5_000;
const refusalMs = 600_000;
/** Pods that have told nothing and were told nothing for this long are gone. */
const forgetMs = 3_600_000;

export class RelayMemory {
  readonly rejections = new Rejections();
  /** Of the relays, to replace their pods. */
  readonly turns: Turns;
  readonly #samples = new Map<string, Sample>();
  readonly #orders = new Map<string, GivenOrder>();
  readonly #annotated = new Map<string, number>();
  readonly #recommendations = new Map<string, readonly Recommendation[]>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #loaded = new Map<string, string>();
  readonly #figures = new Map<string, Figures>();
  readonly #rests = new Map<string, Rest>();
  readonly #reads = new Map<string, Reading>();

  /** `rollouts` are the relays that may replace their pods at the same time. */
  constructor(rollouts = Number.POSITIVE_INFINITY) {
    this.turns = new Turns(rollouts);
  }

  /** What a pod reported just now. */
  reported({ uid, key, template }: Reporter, report: RelayReport, now: number): void {
    const newest = report.documents?.newest ?? documentVersions.oldest;
    this.#reads.set(key, { at: now, template, newest });
    const last = this.#samples.get(uid);
    const { acceptedMessages: accepted, startedAt } = report;
    const isFirst = last === undefined || last.startedAt !== startedAt;
    if (!isFirst && now - last.at < sampleMs) return;
    const perSecond = isFirst ? undefined : Math.max(0, accepted - last.accepted) / ((now - last.at) / 1000);
    this.#samples.set(uid, { at: now, accepted, startedAt, perSecond });
  }

  /** The newest version of the documents that a pod reads: as it told last, also before it was started again. */
  reads({ key, template }: Pick<Reporter, "key" | "template">): number | undefined {
    const last = this.#reads.get(key);
    return last !== undefined && last.template === template ? last.newest : undefined;
  }

  /** Messages accepted a second between its last report and one some seconds before; undefined until there are two. */
  rate(podUid: string): number | undefined {
    return this.#samples.get(podUid)?.perSecond;
  }

  annotatedAt(podUid: string): number | undefined {
    return this.#annotated.get(podUid);
  }

  annotated(podUid: string, now: number): void {
    this.#annotated.set(podUid, now);
    for (const [uid, at] of this.#annotated) if (now - at > forgetMs) this.#annotated.delete(uid);
    for (const [uid, sample] of this.#samples) if (now - sample.at > forgetMs) this.#samples.delete(uid);
    for (const [key, { at }] of this.#reads) if (now - at > forgetMs) this.#reads.delete(key);
  }

  order(podUid: string): Pick<GivenOrder, "digest" | "failure"> | undefined {
    return this.#orders.get(podUid);
  }

  /** `digest` is that of the order that the pod took; undefined when it took it back. */
  ordered(podUid: string, digest: string | undefined, now: number): void {
    this.#orders.set(podUid, { at: now, digest, failure: undefined });
    for (const [uid, { at }] of this.#orders) if (now - at > forgetMs) this.#orders.delete(uid);
  }

  /** An order did not reach the pod. */
  orderFailed(podUid: string, why: string, now: number): void {
    const last = this.#orders.get(podUid)?.failure;
    // Status says it: words that only name another port or time are not worth a write at each look.
    const isSame = last !== undefined && gistOf(last.why) === gistOf(why);
    const failure = { why: isSame ? last.why : why, since: last?.since ?? now };
    this.#orders.set(podUid, { at: now, digest: undefined, failure });
  }

  recommendations(relay: string): readonly Recommendation[] {
    return this.#recommendations.get(relay) ?? [];
  }

  recommended(relay: string, recommendations: readonly Recommendation[]): void {
    if (recommendations.length === 0) this.#recommendations.delete(relay);
    else this.#recommendations.set(relay, recommendations);
  }

  figures(relay: string): Figures | undefined {
    return this.#figures.get(relay);
  }

  told(relay: string, figures: Figures): void {
    this.#figures.set(relay, figures);
  }

  refusal(claim: string): Refusal | undefined {
    return this.#refusals.get(claim);
  }

  /** True when that is news. */
  refused(claim: string, why: string, now: number): boolean {
    const isNews = this.#refusals.get(claim)?.why !== why;
    this.#refusals.set(claim, { why, retryAt: now + refusalMs });
    return isNews;
  }

  /** The claim has grown. */
  granted(claim: string): void {
    this.#refusals.delete(claim);
  }

  /** SHA-256 of the document of a SenderDomain that every ready pod was seen to have; undefined when none was seen. */
  loaded(domain: string): string | undefined {
    return this.#loaded.get(domain);
  }

  sawLoaded(domain: string, digest: string | undefined): void {
    if (digest === undefined) this.#loaded.delete(domain);
    else this.#loaded.set(domain, digest);
  }

  /** Undefined while there is something left to do, or when that is not known. */
  rest(relay: string): Rest | undefined {
    return this.#rests.get(relay);
  }

  /** How many relays have nothing left to do. */
  get resting(): number {
    return this.#rests.size;
  }

  rests(relay: string, rest: Rest | undefined): void {
    if (rest === undefined) this.#rests.delete(relay);
    else this.#rests.set(relay, rest);
  }

  /** The relay is gone. */
  forget(relay: string): void {
    this.rejections.forget(`MailRelay/${relay}`);
    this.#recommendations.delete(relay);
    this.#figures.delete(relay);
    this.#rests.delete(relay);
    this.turns.giveBack(relay);
  }
}

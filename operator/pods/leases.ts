/**
 * How what may be sent in an hour is divided between the pods of a relay: evenly, as the document says, until a pod needs more than
 * that. Then those that need more share what the others leave, for as long as it is leased to them. Pure.
 *
 * The reports of the pods are the truth, and nothing is remembered: while one is missing nothing is leased, leases end, and each
 * pod is back at its even share. Shares that shrink are in force before others grow.
 */
import type { QuotaLeases } from "../../api/administration.ts";
import type { PodFact } from "./facts.ts";

export interface LeaseOrder {
  readonly pod: PodFact;
  readonly leases: QuotaLeases;
}

export interface Leasing {
  /** Of these shares none grows. */
  readonly shrinking: readonly LeaseOrder[];
  /** Only when all of those are in force. */
  readonly growing: readonly LeaseOrder[];
}

export interface LeaseQuestion {
  readonly pods: readonly PodFact[];
  /** Among so many the document that the pods have divides evenly. */
  readonly among: number;
  /** Of that document. */
  readonly revision: string;
}

/** Some looks at the pods may fail in a row. */
const leaseMs = 60_000;
/** Of its even share a pod that needs nothing keeps this much, so that it has something to begin with. */
const kept = 1 / 10;

export function decideLeases({ pods, among, revision }: LeaseQuestion): Leasing {
  const none = { shrinking: [], growing: [] };
  if (among < 2 || pods.length > among || !pods.every((pod) => isHeard(pod, revision))) return none;
  const shares = new Map(pods.map((pod) => [pod, sharesNow(pod)]));
  const shrinking = new Map<PodFact, Share[]>();
  const growing = new Map<PodFact, Share[]>();
  for (const key of pressedKeys(pods)) {
    for (const [pod, share] of divide(key, { pods, among })) {
      const now = shares.get(pod)?.get(key) ?? 1 / among;
      const orders = share <= now ? shrinking : growing;
      orders.set(pod, [...(orders.get(pod) ?? []), { key, share }]);
    }
  }
  return { shrinking: ordersOf(shrinking), growing: ordersOf(growing) };
}

type Share = QuotaLeases["shares"][number];

function isHeard({ report, administration }: PodFact, revision: string): boolean {
  return administration !== undefined && report?.quotas !== undefined && report.revision === revision;
}

function sharesNow({ report }: PodFact): ReadonlyMap<string, number> {
  return new Map(report?.quotas?.map(({ key, share }) => [key, share]));
}

function isPressed({ report }: PodFact, key: string): boolean {
  return report?.draining !== true && report?.quotas?.some((each) => each.key === key && each.isPressed) === true;
}

/** In the order of pods and of their reports. */
function pressedKeys(pods: readonly PodFact[]): ReadonlySet<string> {
  return new Set(
    pods.flatMap((pod) => (pod.report?.quotas ?? []).flatMap(({ key }) => (isPressed(pod, key) ? [key] : []))),
  );
}

/** A pod that is not there yet begins with its even share: that much stays free for it. */
function divide(
  key: string,
  { pods, among }: Pick<LeaseQuestion, "pods" | "among">,
): readonly (readonly [PodFact, number])[] {
  const even = 1 / among;
  const pressed = new Set(pods.filter((pod) => isPressed(pod, key)));
  const others = pods.length - pressed.size;
  const each = (even * pods.length - even * kept * others) / pressed.size;
  return pods.map((pod) => [pod, pressed.has(pod) ? floored(each) : even * kept]);
}

/** Never a little too much together. */
function floored(share: number): number {
  return Math.floor(share * 1e9) / 1e9;
}

function ordersOf(orders: ReadonlyMap<PodFact, readonly Share[]>): readonly LeaseOrder[] {
  return [...orders].map(([pod, shares]) => ({
    pod,
    leases: { version: 1, forMs: leaseMs, shares: shares.slice(0, mostShares) },
  }));
}

/** An order holds no more. */
const mostShares = 1000;

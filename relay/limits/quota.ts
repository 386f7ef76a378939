/**
 * What somebody may send in an hour, as values: whose quota it is, how much of it is used up, and what fits. Pure.
 *
 * A tenth of the hour may come at once, and a hundred messages or 64 MiB in any case; what is used up comes back evenly. So no hour
 * sees more than the limit and that tenth, over restarts and all pods together: each pod counts for itself within its share of both.
 */
import type { Flow } from "./gcra.ts";

export const quotaKinds = ["messages", "recipients", "bytes"] as const;
export type QuotaKind = (typeof quotaKinds)[number];

export type Amounts = Readonly<Record<QuotaKind, number>>;

export interface Quota {
  /** Under which it is counted and kept. */
  readonly key: string;
  /** Whose it is, for those who watch. */
  readonly scope: "Domain" | "Namespace" | "Sender";
  /** As clients are told: `example.com`, `namespace shop`, `this client`. */
  readonly owner: string;
  /** Where a person may change it, as words that `messagesPerHour` and the like follow. */
  readonly field: string;
  /** What is absent is not limited. */
  readonly perHour: Partial<Amounts>;
}

/** As it is kept over restarts: what is used up, and when that was so. */
export interface QuotaState extends Amounts {
  readonly key: string;
  /** ms since the epoch. */
  readonly at: number;
}

/** Why something does not fit. */
export interface Exhausted {
  readonly quota: Quota;
  readonly kind: QuotaKind;
  readonly perHour: number;
  /** Until it fits, in ms; Infinity for what never will. */
  readonly waitMs: number;
}

const hourMs = 3_600_000;
const atOnceShare = 1 / 10;
/** Who may send little in an hour sends it when there is a reason to, and not in sips. */
const atOnceAtLeast: Amounts = { messages: 100, recipients: 100, bytes: 64 * 2 ** 20 };

export function burstOf(kind: QuotaKind, perHour: number): number {
  return Math.max(perHour * atOnceShare, Math.min(perHour, atOnceAtLeast[kind]));
}

export function drainOf(perHour: number, share: number): number {
  return (perHour * share) / hourMs;
}

export interface FlowQuestion {
  readonly kind: QuotaKind;
  readonly perHour: number;
  /** This pod's, from 0 to 1. */
  readonly share: number;
  readonly cost: number;
}

/**
 * A share may be so small that nothing would ever fit into it: one message, one recipient, and one message of whatever size the
 * hour has, fit when nothing else is in the way.
 */
export function flowOf({ kind, perHour, share, cost }: FlowQuestion): Flow {
  const least = kind === "bytes" ? Math.min(cost, perHour) : 1;
  const room = share === 0 ? 0 : Math.max(burstOf(kind, perHour) * share, least);
  return { perMs: drainOf(perHour, share), room };
}

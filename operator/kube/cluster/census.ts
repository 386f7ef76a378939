/**
 * Counts resources by condition, for the metrics: as they come and go, because a walk over all would hold up the work. And of each
 * relay its pods, because there are few relays. Pure.
 */
import { isRecord, type RawObject } from "../client/resource.ts";

/** Pods of one MailRelay: that there should be, and that take mail. */
export interface PodCount {
  readonly namespace: string;
  readonly relay: string;
  readonly wanted: number;
  readonly ready: number;
}

/** Of relays that were looked at once, and not of one that is on its way out: what it still has is Draining's to tell. */
export function podCountsOf({ metadata, status }: RawObject): readonly PodCount[] {
  const { namespace = "", name, deletionTimestamp } = metadata;
  if (!isRecord(status) || deletionTimestamp !== undefined) return [];
  const { desiredReplicas: wanted, readyReplicas: ready = 0 } = status;
  return typeof wanted === "number" ? [{ namespace, relay: name, wanted, ready: Number(ready) }] : [];
}

/** How many resources of a kind have a condition with a status, for example Ready False. */
export interface ConditionCount {
  readonly kind: string;
  readonly condition: string;
  readonly status: string;
  readonly count: number;
}

/** The conditions of an object with their status, as values to count. */
export function conditionsOf({ status }: RawObject): readonly string[] {
  const list = isRecord(status) ? status["conditions"] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).map((entry) => `${String(entry["type"])} ${String(entry["status"])}`);
}

/** What was counted of one kind, by `conditionsOf`. */
export function conditionCounts(kind: string, counts: ReadonlyMap<string, number>): readonly ConditionCount[] {
  return [...counts].map(([value, count]) => {
    const [condition = "", status = ""] = value.split(" ");
    return { kind, condition, status, count };
  });
}

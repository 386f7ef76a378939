/** Counts resources by condition, for the metrics: as they come and go, because a walk over all would hold up the work. Pure. */
import { isRecord, type RawObject } from "../kube/client/resource.ts";
import type { ConditionCount } from "./metrics.ts";

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

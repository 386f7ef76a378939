/** Counts resources by condition, for the metrics: as they come and go, because a walk over all would hold up the work. Pure. */
import { isRecord, type RawObject } from "../client/resource.ts";

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

/** Counts resources by condition, for the metrics. Pure. */
import { isRecord, type RawObject } from "../kube/client/resource.ts";
import type { ConditionCount } from "./metrics.ts";

export function countConditions(kind: string, objects: readonly RawObject[]): readonly ConditionCount[] {
  const counts = new Map<string, ConditionCount>();
  for (const { status } of objects) {
    const list = isRecord(status) ? status["conditions"] : undefined;
    for (const entry of Array.isArray(list) ? list : []) {
      if (!isRecord(entry)) continue;
      const [condition, is] = [String(entry["type"]), String(entry["status"])];
      const key = `${condition} ${is}`;
      counts.set(key, { kind, condition, status: is, count: (counts.get(key)?.count ?? 0) + 1 });
    }
  }
  return [...counts.values()];
}

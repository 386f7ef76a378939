/** Lists that say what they are, so that two writers can share one: maps by key, sets, or atomic (one writer owns it whole). */
import { z } from "zod";

/** Entries are found by `key`; one key twice is refused. */
export function listMap<S extends z.ZodType>(item: S, key: string, maxItems: number) {
  return z
    .array(item)
    .max(maxItems)
    .superRefine((entries, context) => {
      for (const index of repeated(entries.map((entry) => member(entry, key)))) {
        context.addIssue({ code: "custom", message: `is already used: each ${key} only once`, path: [index, key] });
      }
    })
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] });
}

/** Order has no meaning; one value twice is refused. */
export function listSet<S extends z.ZodType>(item: S, maxItems: number) {
  return z
    .array(item)
    .max(maxItems)
    .superRefine((entries, context) => {
      for (const index of repeated(entries)) {
        context.addIssue({ code: "custom", message: "is there twice: remove one", path: [index] });
      }
    })
    .meta({ "x-kubernetes-list-type": "set" });
}

/** Order matters, or entries have no name: replaced as a whole. */
export function listAtomic<S extends z.ZodType>(item: S, maxItems: number) {
  return z.array(item).max(maxItems).meta({ "x-kubernetes-list-type": "atomic" });
}

function member(entry: unknown, key: string): unknown {
  return typeof entry === "object" && entry !== null
    ? Object.entries(entry).find(([name]) => name === key)?.[1]
    : undefined;
}

function repeated(values: readonly unknown[]): number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}

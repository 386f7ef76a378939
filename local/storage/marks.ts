/** Labels and annotations that are set or taken off, on a copy. Pure. */
import type { MetadataChange } from "../../operator/kube/kube.ts";
import type { PersistentVolumeClaim, Pod } from "../../operator/kube/objects.ts";

export function marked<T extends Pod | PersistentVolumeClaim>(pod: T, change: MetadataChange | undefined): T {
  if (change === undefined) return pod;
  const labels = { ...pod.metadata.labels, ...change.labels };
  const annotations = { ...pod.metadata.annotations, ...change.annotations };
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: withoutUndefined(labels), annotations: withoutUndefined(annotations) },
  };
}

function withoutUndefined(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(values)) if (value !== undefined) kept[key] = value;
  return kept;
}

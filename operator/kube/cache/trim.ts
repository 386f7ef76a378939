/** What is not kept of an object: fields that only others read and that are most of its size. Pure. */
import type { RawMetadata, RawObject } from "../client/resource.ts";

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** Without managedFields (half of a small object) and kubectl's copy of the whole manifest. */
export function trimMetadata(metadata: RawMetadata): RawMetadata {
  const { managedFields: _managedFields, selfLink: _selfLink, annotations, ...kept } = metadata;
  if (annotations === undefined) return kept;
  const { [lastApplied]: _lastApplied, ...rest } = annotations;
  return { ...kept, annotations: rest };
}

export function trimObject(object: RawObject): RawObject {
  return { ...object, metadata: trimMetadata(object.metadata) };
}

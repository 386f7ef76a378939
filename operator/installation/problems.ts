/** What stands in the way of a resource, as values: what it refers to and cannot be used, and what Kubernetes would not take. */
import type { ReferredKind } from "../kube/objects.ts";

/** Something a manifest refers to and that cannot be used. */
export interface ReferenceProblem {
  readonly kind: "missing" | "invalid" | "forbidden";
  readonly object: ReferredKind;
  /** For example `spec.delivery.smarthosts[0].credentialsRef`. */
  readonly field: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** Something that was to be written, and that the API server would not take. */
export interface Rejection {
  /** The field that it was made for. */
  readonly field: string;
  /** Which object, and the server's words. */
  readonly message: string;
  /** Mail goes on without the object. */
  readonly isSpare?: true;
}

/** The reason of a condition that tells of it. */
export function reasonOf({ kind, object }: ReferenceProblem) {
  switch (kind) {
    case "forbidden":
      return `${object}sForbidden` as const;
    case "missing":
      return `${object}NotFound` as const;
    case "invalid":
      return `${object}Invalid` as const;
  }
}

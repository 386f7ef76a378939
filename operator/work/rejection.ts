/** What Kubernetes would not take of a plan, as a value, with the field that it was written for. Pure. */
import { ForbiddenError, RejectedError } from "../kube/kube.ts";
import type { WrittenKind } from "../kube/objects.ts";

/** Something that was to be written, and that the API server would not take. */
export interface Rejection {
  /** The field that it was made for. */
  readonly field: string;
  /** Which object, and the server's words. */
  readonly message: string;
  /** Mail goes on without the object. */
  readonly isSpare?: true;
}

/** Where in the spec of a MailRelay a person finds what an object of each kind says. */
const fields: Readonly<Record<WrittenKind, string>> = {
  MailRelay: "metadata",
  SenderDomain: "metadata",
  StatefulSet: "spec.pod",
  Pod: "spec.pod",
  PersistentVolumeClaim: "spec.spool.storage",
  Service: "spec.service",
  Certificate: "spec.tls.certManager",
  NetworkPolicy: "spec.networkPolicy",
  Secret: "metadata.name",
  ServiceAccount: "metadata.name",
  PodDisruptionBudget: "metadata.name",
  PodMonitor: "metadata.name",
};

export interface RefusedWrite {
  readonly kind: WrittenKind;
  readonly name: string;
  /** Where the spec asks for this very object; the kind tells when it is absent. */
  readonly field?: string;
}

/** Throws what nobody who made the resource can mend. Rights to Secrets that are missing are told with the reads. */
export function rejectionOf({ kind, name, field }: RefusedWrite, error: unknown): Rejection {
  const what = `Kubernetes refuses ${kind} ${name}`;
  const spare = kind === "PodMonitor" ? ({ isSpare: true } as const) : {};
  if (error instanceof RejectedError) {
    return { field: field ?? fieldOf(kind, error), message: `${what}: ${error.message}`, ...spare };
  }
  if (!(error instanceof ForbiddenError) || kind === "Secret") throw error;
  return {
    field: "metadata.namespace",
    message: `${what}, a right of the operator's is missing: ${error.message}`,
    ...spare,
  };
}

function fieldOf(kind: WrittenKind, { refusedFor }: RejectedError): string {
  if (refusedFor === "name") return "metadata.name";
  return refusedFor === "place" ? "metadata.namespace" : fields[kind];
}

export function rejectionText({ field, message }: Rejection): string {
  return `${field}: ${message}`;
}

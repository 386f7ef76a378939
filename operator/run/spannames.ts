/** Names of the operator's spans and attributes: OpenTelemetry's where they fit. Those of relays are in relay/observe. */
export const reconcileSpan = "operator.reconcile";

/** `kube.` and the verb, or the subresource that was written. */
export function writeSpan(what: string): string {
  return `kube.${what}`;
}

export const attribute = {
  objectKind: "mailboat.object.kind",
  objectName: "mailboat.object.name",
  namespace: "k8s.namespace.name",
  /** success or failure */
  outcome: "mailboat.outcome",
  /** Counts those too that have no span. */
  writes: "mailboat.writes",
  statusCode: "http.response.status_code",
  /** Of a failed span: a word or a code, never a message. */
  errorType: "error.type",
} as const;

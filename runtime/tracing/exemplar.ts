/** From a message's trace context to the exemplar that leads from a panel of Grafana to its trace. Pure. */

export interface Exemplar {
  readonly trace_id: string;
  readonly span_id: string;
}

/**
 * Flags, the last field before a tracestate: its lowest bit says that the trace is kept (W3C Trace Context, section
 * 3.2.2.5.1).
 */
const sampled = /^00-(?<trace>[0-9a-f]{32})-(?<span>[0-9a-f]{16})-[0-9a-f][13579bdf](?: |$)/;

/** Undefined for a message that is not traced, or whose trace nobody keeps: an exemplar must lead somewhere. */
export function exemplarOf(traceparent: string | undefined): Exemplar | undefined {
  const { trace, span } = traceparent === undefined ? {} : (sampled.exec(traceparent)?.groups ?? {});
  return trace === undefined || span === undefined ? undefined : { trace_id: trace, span_id: span };
}

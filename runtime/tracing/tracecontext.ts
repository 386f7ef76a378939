/**
 * W3C Trace Context as text: what of another program's words is a context, and how ours are written. No mail here.
 */
import { TraceFlags, type SpanContext } from "@opentelemetry/api";
import { parseTraceParent, TraceState } from "@opentelemetry/core";

/** W3C Trace Context section 3.3.1.5 asks to pass on at least this much; what is longer is not passed on by us. */
const tracestateOctets = 512;
const tracestateMembers = 32;
/** Section 3.3.1: lists of key=value; the library drops members that are malformed, we only refuse what could end a header. */
const tracestateForm = /^[\x20-\x7e\t]*$/;

/**
 * Section 3.2: exactly one traceparent, lower case, version ff never, a version that is not known by its first four parts.
 * Several tracestate fields are one list (section 3.3.1).
 */
export function readContext(traceparent: readonly string[], tracestate: readonly string[]): SpanContext | undefined {
  const [first, second] = traceparent;
  if (first === undefined || second !== undefined) return undefined;
  const parsed = parseTraceParent(first.trim());
  if (parsed === null) return undefined;
  const state = readState(tracestate);
  return {
    traceId: parsed.traceId,
    spanId: parsed.spanId,
    // Section 3.2.2.5: of the flags only `sampled` is known, the others are not passed on.
    traceFlags: parsed.traceFlags & TraceFlags.SAMPLED,
    isRemote: true,
    ...(state === undefined ? {} : { traceState: state }),
  };
}

function readState(fields: readonly string[]): SpanContext["traceState"] | undefined {
  const text = fields
    .map((field) => field.trim())
    .filter((field) => field !== "")
    .join(",");
  if (text === "" || text.length > tracestateOctets || !tracestateForm.test(text)) return undefined;
  if (text.split(",").length > tracestateMembers) return undefined;
  const state = new TraceState(text);
  return state.serialize() === "" ? undefined : state;
}

export function contextText(context: SpanContext): string {
  const traceparent = `00-${context.traceId}-${context.spanId}-0${context.traceFlags & TraceFlags.SAMPLED}`;
  const state = context.traceState?.serialize() ?? "";
  return state === "" ? traceparent : `${traceparent} ${state}`;
}

export function contextFromText(text: string): SpanContext | undefined {
  const space = text.indexOf(" ");
  return space === -1 ? readContext([text], []) : readContext([text.slice(0, space)], [text.slice(space + 1)]);
}

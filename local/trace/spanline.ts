/** A span as a relay prints it on standard output: one JSON line of its log, checked here because another program wrote it. */
import { z } from "zod";

const attributes = z.record(z.string(), z.unknown());

const spanLine = z.object({
  msg: z.literal("span"),
  traceId: z.string().regex(/^[0-9a-f]{32}$/),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().optional(),
  name: z.string(),
  kind: z.string(),
  /** Milliseconds since the epoch, with fractions. */
  startMs: z.number(),
  endMs: z.number(),
  attributes,
  events: z.array(z.object({ name: z.string(), timeMs: z.number() })).default([]),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
  status: z.object({ code: z.enum(["UNSET", "OK", "ERROR"]), message: z.string().optional() }),
});

export type SpanLine = Readonly<z.infer<typeof spanLine>>;

/** A span and the pod that recorded it. */
export interface PodSpan {
  readonly pod: string;
  readonly span: SpanLine;
}

/** Undefined for every other line. */
export function parseSpanLine(fields: Readonly<Record<string, unknown>>): SpanLine | undefined {
  return fields["msg"] === "span" ? spanLine.safeParse(fields).data : undefined;
}

/** Is on every span of a message, and equals the id in our Received field and log lines. */
export function spoolIdOf(span: SpanLine): string | undefined {
  return textOf(span, "mailboat.spool.id");
}

export function textOf(span: SpanLine, attribute: string): string | undefined {
  const value = span.attributes[attribute];
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value === "number") return String(value);
  return Array.isArray(value) ? value.map(String).join(", ") : undefined;
}

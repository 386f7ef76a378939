/**
 * Spans as text that two runs share: trees by parent, links by the label of the span they lead to, ids and ports replaced.
 */
import type { CollectedSpan } from "./sink.ts";

/** Values that differ from run to run, by attribute. */
const replaced: Readonly<Record<string, string>> = {
  "mailboat.spool.id": "<spool id>",
  "mailboat.notice.id": "<notice id>",
  "server.port": "<port>",
  "mailboat.message.size": "<size>",
};

/** Attributes that the label of a span tells already, or that are the same everywhere. */
const untold = new Set(["messaging.system"]);

/** Each root with what is below it, in order of their starts. A parent that is not among the spans is `<remote>`. */
export function describeSpans(spans: readonly CollectedSpan[]): string {
  const sorted = spans.toSorted((one, other) => Number(one.startTimeUnixNano - other.startTimeUnixNano));
  const known = new Map(sorted.map((span) => [span.spanId, span]));
  const roots = sorted.filter((span) => !known.has(span.parentSpanId));
  const lines = roots.flatMap((root) => {
    const above = root.parentSpanId === "" ? [] : ["<remote>"];
    return [...above, ...describeTree(root, sorted, above.length)];
  });
  return lines.join("\n");
}

function describeTree(span: CollectedSpan, all: readonly CollectedSpan[], depth: number): string[] {
  const indent = "  ".repeat(depth);
  const children = all.filter((each) => each.parentSpanId === span.spanId);
  return [
    `${indent}${span.name} ${span.kind}${span.status.code === 2 ? " ERROR" : ""}`,
    ...attributeLines(span, `${indent}    `),
    ...span.events.map((event) => `${indent}    event ${event.name} ${attributesText(event.attributes)}`.trimEnd()),
    ...span.links.map((link) => `${indent}    link ${labelOf(link, all)}`),
    ...children.flatMap((child) => describeTree(child, all, depth + 1)),
  ];
}

function attributeLines(span: CollectedSpan, indent: string): string[] {
  const text = attributesText(span.attributes);
  return text === "" ? [] : [`${indent}${text}`];
}

function attributesText(attributes: Readonly<Record<string, unknown>>): string {
  return Object.keys(attributes)
    .filter((key) => !untold.has(key))
    .toSorted()
    .map((key) => `${key}=${replaced[key] ?? String(attributes[key])}`)
    .join(" ");
}

function labelOf(link: { readonly traceId: string; readonly spanId: string }, all: readonly CollectedSpan[]): string {
  const target = all.find((span) => span.spanId === link.spanId);
  if (target === undefined) return "<elsewhere>";
  if (target.traceId !== link.traceId) return "<of another trace>";
  const attempt = target.attributes["mailboat.attempt"];
  return attempt === undefined ? target.name : `${target.name} of attempt ${String(attempt)}`;
}

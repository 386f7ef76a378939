/** What a test sees of traces: an HTTP server that takes OTLP as JSON, from the collector, and keeps every span. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import { hear } from "../secrets/disclosure.ts";

const value = z.union([
  z.object({ stringValue: z.string() }).transform((each) => each.stringValue),
  z.object({ intValue: z.coerce.number() }).transform((each) => each.intValue),
  z.object({ boolValue: z.boolean() }).transform((each) => each.boolValue),
  z
    .object({ arrayValue: z.object({ values: z.array(z.object({ stringValue: z.string() })) }) })
    .transform((each) => each.arrayValue.values.map(({ stringValue }) => stringValue)),
]);
const attributes = z
  .array(z.object({ key: z.string(), value }))
  .default([])
  .transform((list) => Object.fromEntries(list.map((each) => [each.key, each.value])));

/** OTLP/JSON, as the collector writes it: opentelemetry-proto's mapping, ids in hex, enums as numbers. */
const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().default(""),
  traceState: z.string().default(""),
  name: z.string(),
  kind: z.number().transform((kind) => ["", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"][kind] ?? ""),
  startTimeUnixNano: z.coerce.bigint(),
  endTimeUnixNano: z.coerce.bigint(),
  attributes,
  events: z.array(z.object({ name: z.string(), timeUnixNano: z.coerce.bigint(), attributes })).default([]),
  links: z.array(z.object({ traceId: z.string(), spanId: z.string(), attributes })).default([]),
  status: z.object({ code: z.number().default(0), message: z.string().default("") }).default({ code: 0, message: "" }),
});
const request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })),
    }),
  ),
});

export interface CollectedSpan extends z.infer<typeof spanSchema> {
  readonly resource: Readonly<Record<string, unknown>>;
}

export class SpanSink {
  readonly spans: CollectedSpan[] = [];
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor() {
    this.#server = createServer((incoming, outgoing) => {
      this.#take(incoming).then(
        () => outgoing.writeHead(200, { "content-type": "application/json" }).end("{}"),
        (error: unknown) => outgoing.writeHead(400).end(String(error)),
      );
    });
  }

  static async start(): Promise<SpanSink> {
    const sink = new SpanSink();
    sink.#server.listen(0, "127.0.0.1");
    await once(sink.#server, "listening");
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  named(name: string): readonly CollectedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** Resolves when the condition holds, asked whenever spans arrive; rejects at the deadline. */
  async waitUntil(what: string, holds: () => boolean, deadlineMs = 30_000): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = (): void => {
      if (holds()) resolve();
    };
    this.#waiting.add(check);
    const names = (): string => this.spans.map(({ name }) => name).join(" ");
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${deadlineMs} ms: ${names()}`)), deadlineMs);
    check();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #take(incoming: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    hear("a trace", text);
    const { resourceSpans } = request.parse(JSON.parse(text));
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const { spans } of scopeSpans) {
        for (const span of spans) this.spans.push({ ...span, resource: resource.attributes });
      }
    }
    for (const wake of this.#waiting) wake();
  }
}

/**
 * The spans of a message's hop: receive and spool on the way in; deliver, sign, send and bounce on the way out.
 *
 * Every method answers undefined while tracing is off, so that callers pay one comparison. The context of the spool span
 * travels with the message; an attempt within a minute is its child, a later one a root with links to it and to the
 * attempt before, because a trace that lasts for days would outlive any store.
 */
import {
  SpanKind,
  SpanStatusCode,
  type Attributes,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from "@opentelemetry/api";
import {
  alwaysSampled,
  contextOf,
  formatTraceparent,
  parseTraceparent,
  type Telemetry,
} from "../../runtime/telemetry.ts";
import type { Reply } from "../mail/reply.ts";
import { attribute, spanName } from "./names.ts";

export interface ReceiveFacts {
  readonly startedAt: number;
  readonly listener: string;
  readonly peerAddress: string;
  readonly authenticated: boolean;
  /** Value of the message's traceparent field, when it has one. */
  readonly traceparent: string | undefined;
  readonly events: readonly { readonly name: "HELO" | "TLS" | "AUTH"; readonly at: number }[];
}

export interface ReceiveHop {
  /** Starts the spool span and returns what is kept with the message. */
  spool(spoolId: string, domain: string): string;
  end(reply: Reply, facts: { readonly sizeBytes: number }): void;
}

export interface DeliverFacts {
  readonly spoolId: string;
  readonly domain: string;
  readonly recipientDomains: readonly string[];
  readonly recipientCount: number;
  readonly attempt: number;
  readonly acceptedAt: number;
  readonly startedAt: number;
  /** Context of the spool span, as it was kept with the message. */
  readonly traceparent: string | undefined;
  readonly previousAttempt: string | undefined;
}

export interface SendFacts {
  readonly host: string;
  readonly port: number;
}

export interface SendHop {
  /** What a trusted next hop is told. */
  readonly traceparent: string;
  connected(facts: { readonly peerAddress: string | undefined; readonly tlsVersion: string | undefined }): void;
  end(outcome: string, reply: Reply | undefined): void;
}

export interface DeliverHop {
  /** Kept with recipients that are deferred, so that the next attempt links here. */
  readonly traceparent: string;
  sign<T>(keys: number, work: () => Promise<T>): Promise<T>;
  send(facts: SendFacts): SendHop;
  /** A final failure: a sampled root of its own, whatever was decided for the message. Returns the notice's context. */
  bounce(reply: Reply, notice: boolean): string;
  end(outcome: "delivered" | "deferred" | "failed" | "mixed", reply: Reply | undefined): void;
}

export interface HopTracer {
  receive(facts: ReceiveFacts): ReceiveHop | undefined;
  deliver(facts: DeliverFacts): DeliverHop | undefined;
}

/** An attempt that starts later than this after the acceptance is a trace of its own. */
const sameTraceMs = 60_000;

export function createHopTracer(telemetry: Telemetry): HopTracer {
  return {
    receive: (facts) => (telemetry.tracer === undefined ? undefined : startReceive(telemetry.tracer, facts)),
    deliver: (facts) => (telemetry.tracer === undefined ? undefined : startDeliver(telemetry.tracer, facts)),
  };
}

/** For programs and tests that trace nothing. */
export const noHopTracer: HopTracer = { receive: () => undefined, deliver: () => undefined };

function startReceive(tracer: Tracer, facts: ReceiveFacts): ReceiveHop {
  const sent = facts.traceparent === undefined ? undefined : parseTraceparent(facts.traceparent);
  // Anyone can write a header: only who has proven who they are continues a trace; the others are linked.
  const parent = facts.authenticated ? sent : undefined;
  const links = sent !== undefined && parent === undefined ? [{ context: sent }] : [];
  const receive = tracer.startSpan(
    spanName.receive,
    {
      kind: SpanKind.SERVER,
      startTime: facts.startedAt,
      links,
      attributes: {
        [attribute.messagingSystem]: "smtp",
        [attribute.listener]: facts.listener,
        [attribute.peerAddress]: facts.peerAddress,
        [attribute.authenticated]: facts.authenticated,
      },
    },
    contextOf(parent),
  );
  for (const event of facts.events) receive.addEvent(event.name, undefined, event.at);
  let spooling: Span | undefined;
  return {
    spool(spoolId, domain) {
      const attributes = { [attribute.spoolId]: spoolId, [attribute.senderDomain]: domain };
      receive.setAttributes(attributes);
      spooling = tracer.startSpan(
        spanName.spool,
        { kind: SpanKind.PRODUCER, attributes },
        contextOf(receive.spanContext()),
      );
      return formatTraceparent(spooling.spanContext());
    },
    end(reply, { sizeBytes }) {
      if (spooling !== undefined) endWith(spooling, reply);
      receive.setAttribute(attribute.sizeBytes, sizeBytes);
      endWith(receive, reply);
    },
  };
}

function startDeliver(tracer: Tracer, facts: DeliverFacts): DeliverHop {
  const spooled = contextFrom(facts.traceparent);
  const previous = contextFrom(facts.previousAttempt);
  const isChild = facts.attempt <= 1 && facts.startedAt - facts.acceptedAt < sameTraceMs;
  const links = [spooled, previous].flatMap((context) => (context === undefined ? [] : [{ context }]));
  const deliver = tracer.startSpan(
    spanName.deliver,
    {
      kind: SpanKind.CONSUMER,
      links: isChild ? [] : links,
      attributes: {
        [attribute.messagingSystem]: "smtp",
        [attribute.spoolId]: facts.spoolId,
        [attribute.senderDomain]: facts.domain,
        [attribute.recipientDomains]: [...facts.recipientDomains],
        [attribute.recipientCount]: facts.recipientCount,
        [attribute.attempt]: facts.attempt,
      },
    },
    contextOf(isChild ? spooled : undefined),
  );
  const own = deliver.spanContext();
  return {
    traceparent: formatTraceparent(own),
    sign: async (keys, work) => traced(tracer, { name: spanName.sign, parent: own, keys }, work),
    send: (send) => startSend(tracer, own, send),
    bounce: (reply, notice) => recordBounce(tracer, facts, { links: [...links, { context: own }], reply, notice }),
    end(outcome, reply) {
      deliver.setAttribute(attribute.outcome, outcome);
      endWith(deliver, reply);
    },
  };
}

function startSend(tracer: Tracer, parent: SpanContext, facts: SendFacts): SendHop {
  const attributes = { [attribute.serverAddress]: facts.host, [attribute.serverPort]: facts.port };
  const span = tracer.startSpan(spanName.send, { kind: SpanKind.CLIENT, attributes }, contextOf(parent));
  return {
    traceparent: formatTraceparent(span.spanContext()),
    connected({ peerAddress, tlsVersion }) {
      if (peerAddress !== undefined) span.setAttribute(attribute.peerAddress, peerAddress);
      if (tlsVersion !== undefined) span.setAttribute(attribute.tlsVersion, tlsVersion);
    },
    end(outcome, reply) {
      span.setAttribute(attribute.outcome, outcome);
      endWith(span, reply);
    },
  };
}

interface BounceFacts {
  readonly links: readonly Link[];
  readonly reply: Reply;
  readonly notice: boolean;
}

function recordBounce(tracer: Tracer, facts: DeliverFacts, bounce: BounceFacts): string {
  const attributes: Attributes = {
    [alwaysSampled]: true,
    [attribute.spoolId]: facts.spoolId,
    [attribute.senderDomain]: facts.domain,
    [attribute.recipientDomains]: [...facts.recipientDomains],
    [attribute.notice]: bounce.notice,
  };
  const kind = SpanKind.PRODUCER;
  const span = tracer.startSpan(
    spanName.bounce,
    { kind, root: true, links: [...bounce.links], attributes },
    contextOf(undefined),
  );
  endWith(span, bounce.reply);
  return formatTraceparent(span.spanContext());
}

interface WorkFacts {
  readonly name: string;
  readonly parent: SpanContext;
  readonly keys: number;
}

async function traced<T>(tracer: Tracer, facts: WorkFacts, work: () => Promise<T>): Promise<T> {
  const attributes = { [attribute.keys]: facts.keys };
  const span = tracer.startSpan(facts.name, { kind: SpanKind.INTERNAL, attributes }, contextOf(facts.parent));
  try {
    return await work();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Codes only: the text of a reply may name a recipient. */
function endWith(span: Span, reply: Reply | undefined): void {
  if (reply !== undefined) {
    span.setAttribute(attribute.replyCode, reply.code);
    if (reply.enhanced !== undefined) span.setAttribute(attribute.enhancedCode, reply.enhanced);
    if (reply.code >= 400) {
      span.setAttribute(attribute.errorType, String(reply.code));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
  }
  span.end();
}

function contextFrom(traceparent: string | undefined): SpanContext | undefined {
  return traceparent === undefined ? undefined : parseTraceparent(traceparent);
}

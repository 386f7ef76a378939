/**
 * The span of a message's way from pod to pod: `mail.handoff` at both ends, that of the taker below that of the giver. The
 * message keeps the context of its spool span, so that what the taker does with it goes on in the same trace.
 *
 * Like an attempt it is a child of that span within a minute of the acceptance, and later a root with links. While nothing is
 * traced there is no object at all.
 */
import type { Telemetry } from "../../runtime/telemetry.ts";
import type { SpanContext, TraceSpan, Tracing } from "../../runtime/tracing/trace.ts";
import type { Peer } from "../../api/administration.ts";
import type { Message, Recipient } from "../spool/message/message.ts";
import { contextsOf, domainsOf, isSampled, sameTraceMs } from "./hop.ts";
import { attribute, spanName } from "./names.ts";

export interface HandoffFacts {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
  /** ms since the epoch. */
  readonly now: number;
}

export interface HandoffSpan {
  /** Of a sampled trace. */
  readonly traceId: string | undefined;
  /** What the other end is told. */
  readonly context: string;
  /** `taken` and `known` are good ends. */
  end(outcome: string): void;
}

export interface HandoffTracer {
  give(facts: HandoffFacts & { readonly peer: Peer }): HandoffSpan | undefined;
  /** `context` is what the giver told, as its span's text. */
  take(facts: HandoffFacts & { readonly context: string | undefined }): HandoffSpan | undefined;
}

export function createHandoffTracer(telemetry: Pick<Telemetry, "tracing">): HandoffTracer {
  return {
    give(facts) {
      const { tracing } = telemetry;
      if (tracing === undefined) return undefined;
      const span = startGiving(tracing, facts);
      if (span.isSampled) {
        span.set({ [attribute.serverAddress]: facts.peer.host, [attribute.serverPort]: facts.peer.port });
      }
      return spanOf(tracing, span, facts);
    },
    take(facts) {
      const { tracing } = telemetry;
      if (tracing === undefined) return undefined;
      const parent = facts.context === undefined ? undefined : tracing.fromText(facts.context);
      return spanOf(tracing, tracing.start(spanName.handoff, { kind: "SERVER", parent }), facts);
    },
  };
}

function startGiving(tracing: Tracing, { message, recipients, now }: HandoffFacts): TraceSpan {
  const spooled = message.traceparent === undefined ? undefined : tracing.fromText(message.traceparent);
  if (now - message.acceptedAt < sameTraceMs) {
    return tracing.start(spanName.handoff, { kind: "CLIENT", parent: spooled });
  }
  const links: readonly SpanContext[] = [
    ...(spooled === undefined ? [] : [spooled]),
    ...contextsOf(tracing, recipients),
  ];
  return tracing.start(spanName.handoff, {
    kind: "CLIENT",
    links,
    // It follows what was decided for the message.
    ...(links.length === 0 ? {} : { sampled: links.some(isSampled) }),
  });
}

function spanOf(tracing: Tracing, span: TraceSpan, { message, recipients }: HandoffFacts): HandoffSpan {
  if (span.isSampled) {
    span.set({
      [attribute.spoolId]: message.id,
      [attribute.senderDomain]: message.domain,
      [attribute.recipientDomains]: domainsOf(recipients),
      [attribute.recipientCount]: recipients.length,
    });
  }
  return {
    traceId: span.isSampled ? span.context.traceId : undefined,
    context: tracing.textOf(span.context),
    end(outcome) {
      if (span.isSampled) {
        span.set({ [attribute.outcome]: outcome });
        if (outcome !== "taken" && outcome !== "known") {
          span.set({ [attribute.errorType]: outcome });
          span.fail();
        }
      }
      span.end();
    },
  };
}

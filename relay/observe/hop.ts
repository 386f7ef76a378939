/**
 * The spans of a message's hop: receive and spool on the way in; deliver, sign, send and bounce on the way out.
 *
 * While nothing is traced there is no object at all: callers pay one comparison. The context of the spool span is kept with
 * the message. An attempt within a minute is its child; a later one is a root with links to it and to the attempt before,
 * because a trace that lasts for days would outlive any store. A final failure is a sampled root, whatever was decided.
 */
import type { Telemetry } from "../../runtime/telemetry.ts";
import type { SpanAttributes, SpanContext, TraceSpan, Tracing } from "../../runtime/tracing/trace.ts";
import { domainOf } from "../mail/address.ts";
import type { HostAnswer } from "../mail/hostanswer.ts";
import type { Reply } from "../mail/reply.ts";
import type { Message, Recipient } from "../spool/message/message.ts";
import type { Outcome } from "../spool/verbs.ts";
import type { SpoolId } from "../spool/message/id.ts";
import { attribute, eventName, spanName } from "./names.ts";
import type { TraceFields } from "../mail/tracefields.ts";

export interface TimedEvent {
  readonly name: string;
  /** As HopTracer.now() gives it. */
  readonly at: number;
  readonly attributes: SpanAttributes;
}

export interface ReceiveFacts {
  readonly startedAt: number;
  readonly listener: string;
  readonly peerAddress: string;
  readonly authenticated: boolean;
  /** Who sent it may continue a trace: it has proven who it is, or a manifest trusts its network. */
  readonly trusted: boolean;
  readonly fields: TraceFields;
  readonly events: readonly TimedEvent[];
  readonly senderDomain: string | undefined;
}

export interface ReceiveHop {
  /** Of a sampled trace. */
  readonly traceId: string | undefined;
  /** Starts the spool span; what is returned is kept with the message. */
  spool(id: SpoolId, domain: string): string;
  /** `reply` is what the client heard last; undefined when it left without hearing anything. */
  end(end: { readonly reply: Pick<Reply, "code" | "enhanced"> | undefined; readonly attributes: SpanAttributes }): void;
}

export interface DeliverFacts {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
  /** ms since the epoch. */
  readonly now: number;
}

export interface SendTarget {
  readonly host: string;
  readonly port: number;
  /** What the host's name was resolved to, where that is known before dialing. */
  readonly address?: string | undefined;
}

export interface SendHop {
  /** What a trusted next hop is told: the trace with this span as parent. */
  readonly context: string;
  /** Whom we speak with, as soon as it is known. */
  connected(peer: { readonly peerAddress: string | undefined; readonly tlsVersion: string | undefined }): void;
  /** One for each recipient. */
  end(answers: readonly HostAnswer[]): void;
}

/** A recipient that will get no further attempt, or a notice to the sender. */
export interface BounceFacts {
  /** Undefined when nobody is told. */
  readonly notice: { readonly action: string; readonly id: SpoolId } | undefined;
  readonly recipients: readonly Recipient[];
  /** Of the first of them. */
  readonly reply: Pick<Reply, "code" | "enhanced"> | undefined;
  readonly failed: boolean;
}

export interface DeliverHop {
  /** Of a sampled trace. */
  readonly traceId: string | undefined;
  /** Kept with recipients that are deferred, so that the next attempt links here. */
  readonly context: string;
  sign<T>(keys: number, work: () => Promise<T>): Promise<T>;
  send(hop: SendTarget): SendHop;
  /** What is kept with the notice, if there is one. Ends with the attempt. */
  bounce(facts: BounceFacts): string;
  /** Once the outcomes are durable; undefined when they never will be. */
  end(outcomes: readonly Outcome[] | undefined): void;
}

export interface HopTracer {
  /** False while nothing is traced: then receive() and deliver() give nothing. */
  readonly isActive: boolean;
  now(): number;
  receive(facts: ReceiveFacts): ReceiveHop | undefined;
  deliver(facts: DeliverFacts): DeliverHop | undefined;
}

/** For programs and tests that trace nothing. */
export const noHopTracer: HopTracer = {
  isActive: false,
  now: () => 0,
  receive: () => undefined,
  deliver: () => undefined,
};

export function createHopTracer(telemetry: Pick<Telemetry, "tracing">): HopTracer {
  return {
    get isActive() {
      return telemetry.tracing !== undefined;
    },
    now: () => telemetry.tracing?.now() ?? 0,
    receive: (facts) => (telemetry.tracing === undefined ? undefined : new Receiving(telemetry.tracing, facts)),
    deliver: (facts) => (telemetry.tracing === undefined ? undefined : new Delivering(telemetry.tracing, facts)),
  };
}

/** An attempt that starts later than this after the acceptance is a trace of its own. */
export const sameTraceMs = 60_000;

class Receiving implements ReceiveHop {
  readonly #tracing: Tracing;
  readonly #span: TraceSpan;
  #spooling: TraceSpan | undefined;

  constructor(tracing: Tracing, facts: ReceiveFacts) {
    this.#tracing = tracing;
    const sent = tracing.read(facts.fields.traceparent, facts.fields.tracestate);
    // Anyone can write a header: only who is known continues a trace, and decides for us whether it is sampled.
    const isContinued = sent !== undefined && facts.trusted;
    this.#span = tracing.start(spanName.receive, {
      kind: "SERVER",
      startedAt: facts.startedAt,
      ...(isContinued ? { parent: sent } : {}),
      ...(sent === undefined || isContinued ? {} : { links: [sent] }),
    });
    if (!this.#span.isSampled) return;
    this.#span.set({
      [attribute.messagingSystem]: "smtp",
      [attribute.listener]: facts.listener,
      [attribute.peerAddress]: facts.peerAddress,
      [attribute.authenticated]: facts.authenticated,
    });
    if (facts.senderDomain !== undefined) this.#span.set({ [attribute.senderDomain]: facts.senderDomain });
    for (const { name, at, attributes } of facts.events) this.#span.event(name, at, attributes);
  }

  get traceId(): string | undefined {
    return this.#span.isSampled ? this.#span.context.traceId : undefined;
  }

  spool(id: SpoolId, domain: string): string {
    this.#spooling = this.#tracing.start(spanName.spool, { kind: "PRODUCER", parent: this.#span.context });
    if (this.#span.isSampled) {
      const attributes = { [attribute.spoolId]: id, [attribute.senderDomain]: domain };
      this.#span.set(attributes);
      this.#spooling.set(attributes);
    }
    return this.#tracing.textOf(this.#spooling.context);
  }

  end({ reply, attributes }: Parameters<ReceiveHop["end"]>[0]): void {
    if (!this.#span.isSampled) return;
    if (this.#spooling !== undefined) endWith(this.#spooling, reply);
    const outcome = reply === undefined ? "abandoned" : reply.code < 400 ? "accepted" : "refused";
    this.#span.set({ ...attributes, [attribute.outcome]: outcome });
    endWith(this.#span, reply);
  }
}

class Delivering implements DeliverHop {
  readonly #tracing: Tracing;
  readonly #facts: DeliverFacts;
  readonly #span: TraceSpan;
  readonly #spooled: SpanContext | undefined;
  readonly #bounces: { readonly span: TraceSpan; readonly reply: BounceFacts["reply"] }[] = [];
  #ended = false;

  constructor(tracing: Tracing, facts: DeliverFacts) {
    this.#tracing = tracing;
    this.#facts = facts;
    const { message, recipients, now } = facts;
    const attempt = highestAttempt(recipients);
    const spooled = message.traceparent === undefined ? undefined : tracing.fromText(message.traceparent);
    const isChild = attempt <= 1 && now - message.acceptedAt < sameTraceMs;
    const previous = isChild ? [] : contextsOf(tracing, recipients);
    const links = isChild || spooled === undefined ? previous : [spooled, ...previous];
    this.#spooled = spooled;
    this.#span = tracing.start(spanName.deliver, {
      kind: "CONSUMER",
      ...(isChild ? { parent: spooled } : { links }),
      // A retry follows what was decided for the message.
      ...(isChild || links.length === 0 ? {} : { sampled: links.some(isSampled) }),
    });
    if (!this.#span.isSampled) return;
    this.#span.set({
      [attribute.messagingSystem]: "smtp",
      [attribute.spoolId]: message.id,
      [attribute.senderDomain]: message.domain,
      [attribute.recipientDomains]: domainsOf(recipients),
      [attribute.recipientCount]: recipients.length,
      [attribute.attempt]: attempt,
    });
  }

  get traceId(): string | undefined {
    return this.#span.isSampled ? this.#span.context.traceId : undefined;
  }

  get context(): string {
    return this.#tracing.textOf(this.#span.context);
  }

  async sign<T>(keys: number, work: () => Promise<T>): Promise<T> {
    if (!this.#span.isSampled) return work();
    const span = this.#tracing.start(spanName.sign, { kind: "INTERNAL", parent: this.#span.context });
    span.set({ [attribute.spoolId]: this.#facts.message.id, [attribute.keys]: keys });
    try {
      return await work();
    } catch (error) {
      span.fail();
      throw error;
    } finally {
      span.end();
    }
  }

  send(hop: SendTarget): SendHop {
    const span = this.#tracing.start(spanName.send, { kind: "CLIENT", parent: this.#span.context });
    if (span.isSampled) {
      span.set({
        [attribute.spoolId]: this.#facts.message.id,
        [attribute.serverAddress]: hop.host,
        [attribute.serverPort]: hop.port,
      });
      if (hop.address !== undefined) span.set({ [attribute.peerAddress]: hop.address });
    }
    return new Sending(this.#tracing, span);
  }

  bounce({ notice, recipients, reply, failed }: BounceFacts): string {
    const { message } = this.#facts;
    const own = this.#span.context;
    const span = this.#tracing.start(spanName.bounce, {
      kind: "PRODUCER",
      ...(failed
        ? { sampled: true, links: this.#spooled === undefined ? [own] : [this.#spooled, own] }
        : { parent: own }),
    });
    span.set({
      [attribute.spoolId]: message.id,
      [attribute.senderDomain]: message.domain,
      [attribute.recipientDomains]: domainsOf(recipients),
      [attribute.recipientCount]: recipients.length,
      [attribute.attempt]: highestAttempt(recipients),
      ...(failed ? { [attribute.outcome]: "failed" } : {}),
      ...(notice === undefined ? {} : { [attribute.notice]: notice.action, [attribute.noticeId]: notice.id }),
    });
    this.#bounces.push({ span, reply });
    return this.#tracing.textOf(span.context);
  }

  end(outcomes: readonly Outcome[] | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const { span, reply } of this.#bounces) if (outcomes !== undefined) endWith(span, reply);
    if (!this.#span.isSampled) return;
    const kinds = new Set((outcomes ?? []).map(({ kind }) => kind));
    const [first] = kinds;
    this.#span.set({ [attribute.outcome]: kinds.size > 1 ? "mixed" : (first ?? "abandoned") });
    endWith(this.#span, worstOf((outcomes ?? []).map(({ reply }) => reply)));
  }
}

class Sending implements SendHop {
  readonly #tracing: Tracing;
  readonly #span: TraceSpan;

  constructor(tracing: Tracing, span: TraceSpan) {
    this.#tracing = tracing;
    this.#span = span;
  }

  get context(): string {
    return this.#tracing.textOf(this.#span.context);
  }

  connected({ peerAddress, tlsVersion }: Parameters<SendHop["connected"]>[0]): void {
    if (!this.#span.isSampled) return;
    if (peerAddress !== undefined) this.#span.set({ [attribute.peerAddress]: peerAddress });
    if (tlsVersion !== undefined) this.#span.set({ [attribute.tlsVersion]: tlsVersion });
  }

  end(answers: readonly HostAnswer[]): void {
    if (!this.#span.isSampled) return;
    const troubles = answers.flatMap((answer) => (answer.kind === "trouble" ? answer.trouble : []));
    const isMixed = troubles.length > 0 && troubles.length < answers.length;
    const outcome = isMixed ? "mixed" : troubles.length === 0 ? "delivered" : "refused";
    this.#span.set({ [attribute.outcome]: outcome, [attribute.recipientCount]: answers.length });
    const refused = isMixed ? troubles : [];
    for (const { reply } of refused) this.#span.event(eventName.refused, this.#tracing.now(), replyAttributes(reply));
    const silent = troubles.find(({ reply }) => reply === undefined);
    const replies = answers.map((answer) => (answer.kind === "accepted" ? answer.reply : answer.trouble.reply));
    endWith(this.#span, worstOf(replies), silent?.reason ?? silent?.phase);
  }
}

/** Codes only: the text of a reply may name a recipient. */
function endWith(span: TraceSpan, reply: Pick<Reply, "code" | "enhanced"> | undefined, errorType?: string): void {
  if (span.isSampled) {
    const isFailure = reply === undefined ? errorType !== undefined : reply.code >= 400;
    if (reply !== undefined) span.set(replyAttributes(reply));
    if (isFailure) {
      span.set({ [attribute.errorType]: reply === undefined ? (errorType ?? "") : String(reply.code) });
      span.fail();
    }
  }
  span.end();
}

export function replyAttributes(reply: Pick<Reply, "code" | "enhanced"> | undefined): SpanAttributes {
  if (reply === undefined) return {};
  const { code, enhanced } = reply;
  return { [attribute.replyCode]: code, ...(enhanced === undefined ? {} : { [attribute.enhancedCode]: enhanced }) };
}

/** What a person wants to see first: a 5xx before a 4xx before a 2xx. */
function worstOf<R extends Pick<Reply, "code">>(replies: readonly (R | undefined)[]): R | undefined {
  return replies.reduce(
    (worst, reply) => (reply !== undefined && reply.code > (worst?.code ?? 0) ? reply : worst),
    undefined,
  );
}

function highestAttempt(recipients: readonly Recipient[]): number {
  return recipients.reduce((last, { attempts }) => Math.max(last, attempts), 0);
}

export function domainsOf(recipients: readonly Recipient[]): string[] {
  return [...new Set(recipients.map(({ address }) => domainOf(address)))];
}

export function contextsOf(tracing: Tracing, recipients: readonly Recipient[]): SpanContext[] {
  const texts = new Set(recipients.flatMap(({ lastAttempt }) => (lastAttempt === undefined ? [] : [lastAttempt])));
  return [...texts].flatMap((text) => tracing.fromText(text) ?? []);
}

export function isSampled(context: SpanContext): boolean {
  return (context.traceFlags & 1) !== 0;
}

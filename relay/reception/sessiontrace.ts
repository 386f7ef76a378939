/**
 * What a session tells its traces: one smtp.receive span for each transaction that was begun, or asked for in vain.
 *
 * The span starts with the first of HELO, TLS and AUTH that no earlier message of the session has, else at MAIL. It is made
 * only when its parent is known, which is in the message's header, or when there will be none.
 */
import type { SpanAttributes } from "../../runtime/tracing/trace.ts";
import type { Header } from "../mail/header.ts";
import type { Reply } from "../mail/reply.ts";
import { replyAttributes, type HopTracer, type ReceiveHop, type TimedEvent } from "../observe/hop.ts";
import { attribute, eventName } from "../observe/names.ts";
import { noTraceFields, traceFieldsOf, type TraceFields } from "../mail/tracefields.ts";
import type { SpoolId } from "../spool/message/id.ts";

interface SessionFacts {
  readonly listener: string;
  readonly peerAddress: string;
}

interface OpenTransaction {
  readonly startedAt: number;
  /** MAIL was answered 250: what is refused from here on need not be the end. */
  isAdmitted: boolean;
  senderDomain: string | undefined;
  fields: TraceFields;
  isTrusted: boolean;
  lastRefusal: Reply | undefined;
  hop: ReceiveHop | undefined;
  kept: string | undefined;
}

export interface TraceOfMessage {
  readonly traceparent: string | undefined;
  /** Of a sampled trace. */
  readonly traceId: string | undefined;
}

/** A client that talks without end does not make the record grow. */
const mostEvents = 32;

export class SessionTrace {
  readonly #hops: HopTracer;
  readonly #session: SessionFacts;
  #events: TimedEvent[] = [];
  #transaction: OpenTransaction | undefined;
  #isAuthenticated = false;

  constructor(hops: HopTracer, session: SessionFacts) {
    this.#hops = hops;
    this.#session = session;
  }

  greeted(): void {
    this.#note(eventName.helo);
  }

  /** `protocol` such as `TLSv1.3`; `certificate` is what came of the client's, where one was asked for. */
  secured(protocol: string, certificate?: string): void {
    const version = /^TLSv(\d(?:\.\d)?)$/.exec(protocol)?.[1];
    this.#note(eventName.tls, {
      ...(version === undefined ? {} : { [attribute.tlsVersion]: version }),
      ...(certificate === undefined ? {} : { [attribute.clientCertificate]: certificate }),
    });
  }

  loggedIn(mechanism: string): void {
    this.#isAuthenticated = true;
    this.#note(eventName.auth, { [attribute.authMechanism]: mechanism });
  }

  mailAsked(): void {
    if (!this.#hops.isActive) return;
    this.#transaction = {
      startedAt: this.#events[0]?.at ?? this.#hops.now(),
      isAdmitted: false,
      senderDomain: undefined,
      fields: noTraceFields,
      isTrusted: false,
      lastRefusal: undefined,
      hop: undefined,
      kept: undefined,
    };
  }

  mailFrom(senderDomain: string | undefined): void {
    if (this.#transaction !== undefined) this.#transaction.senderDomain = senderDomain;
  }

  mailAdmitted(): void {
    if (this.#transaction !== undefined) this.#transaction.isAdmitted = true;
  }

  /** `isTrusted` is asked when there is something to trust. */
  headerRead(header: Header, isTrusted: () => boolean): void {
    if (this.#transaction === undefined) return;
    const fields = traceFieldsOf(header);
    if (fields.traceparent.length === 0) return;
    this.#transaction.fields = fields;
    this.#transaction.isTrusted = isTrusted();
  }

  /** Returns what is kept with the message; undefined when nothing is traced. */
  spooling(id: SpoolId, domain: string): string | undefined {
    const transaction = this.#transaction;
    if (transaction === undefined) return undefined;
    transaction.kept = this.#receive(transaction)?.spool(id, domain);
    return transaction.kept;
  }

  refused(reply: Reply): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    transaction.lastRefusal = reply;
    this.#note(eventName.refused, replyAttributes(reply));
    if (!transaction.isAdmitted) this.#end(reply);
  }

  /** What metrics and log may show of the message's trace. */
  accepted(reply: Reply, message: { readonly sizeBytes: number; readonly recipients: number }): TraceOfMessage {
    const { kept, hop } = this.#transaction ?? {};
    this.#end(reply, {
      [attribute.messageSize]: message.sizeBytes,
      [attribute.recipientCount]: message.recipients,
    });
    return { traceparent: kept, traceId: hop?.traceId };
  }

  /** A transaction that nobody ended was refused for its last reason, or given up by the client. */
  reset(): void {
    this.#end(this.#transaction?.lastRefusal);
  }

  #end(reply: Reply | undefined, attributes: SpanAttributes = {}): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    this.#transaction = undefined;
    this.#receive(transaction)?.end({ reply, attributes });
    this.#events = [];
  }

  #receive(transaction: OpenTransaction): ReceiveHop | undefined {
    transaction.hop ??= this.#hops.receive({
      ...this.#session,
      startedAt: transaction.startedAt,
      authenticated: this.#isAuthenticated,
      trusted: transaction.isTrusted,
      fields: transaction.fields,
      events: this.#events,
      senderDomain: transaction.senderDomain,
    });
    return transaction.hop;
  }

  #note(name: string, attributes: SpanAttributes = {}): void {
    if (!this.#hops.isActive || this.#events.length >= mostEvents) return;
    this.#events.push({ name, at: this.#hops.now(), attributes });
  }
}

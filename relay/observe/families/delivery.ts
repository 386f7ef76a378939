/** What next hops did and what senders were told. */
import { Counter, Gauge, Histogram } from "prom-client";
import type { NoticeAction } from "../../mail/notice/due.ts";
import { replyClass, type BoundedLabel } from "../labels.ts";
import { latencyBuckets, observeTraced, type OpenMetricsRegistry } from "./family.ts";

export type OutcomeKind = "delivered" | "deferred" | "failed";

/** What one attempt meant for one recipient. */
export interface RecipientAttempt {
  readonly outcome: OutcomeKind;
  readonly code: number;
  /** True when the code is the next hop's own reply, false when the relay chose it. */
  readonly isRemote: boolean;
  /** Of the header From. */
  readonly domain: string;
  /** The name of an entry of delivery.destinations, else the recipient's domain. */
  readonly destination: string;
}

/** What an attempt spends its time on; `wait` is from acceptance to the first attempt. */
export type AttemptPhase = "wait" | "resolve" | "sign" | "connect" | "transaction";

export interface DeliveryMetrics {
  phaseEnded(phase: AttemptPhase, seconds: number): void;
  attempted(attempt: RecipientAttempt): void;
  /** Seconds from acceptance to the recipient's delivery. */
  delivered(seconds: number, traceparent: string | undefined): void;
  nextHopConnection(result: "opened" | "failed", tls?: string): void;
  /** A notice was written to a sender. */
  notified(notice: NoticeAction): void;
  /** A recipient of mail from nobody, such as a notice, failed: nobody can be told. */
  doubleBounced(): void;
  /** So many outcomes could not be written so far, and are tried again. */
  outcomesUnwritten(cause: UnwrittenCause, count: number): void;
}

/** What is in the way of an outcome: the whole spool, or what the outcome itself says. */
export type UnwrittenCause = "spool" | "outcome";

export function deliveryMetrics(
  registry: OpenMetricsRegistry,
  domains: BoundedLabel,
  destinations: BoundedLabel,
): DeliveryMetrics {
  const registers = [registry];
  const seconds = new Histogram({
    name: "mailboat_delivery_seconds",
    help: "From acceptance to the next hop's 250",
    buckets: latencyBuckets,
    enableExemplars: true,
    registers,
  });
  const nextHops = new Counter({
    name: "mailboat_delivery_connections",
    help: "Connections to next hops, by result and TLS version",
    labelNames: ["result", "tls"],
    registers,
  });
  const notices = new Counter({
    name: "mailboat_delivery_notices",
    help: "Notices written to senders, by what they report",
    labelNames: ["notice"],
    registers,
  });
  const doubleBounces = new Counter({
    name: "mailboat_delivery_double_bounces",
    help: "Failed recipients of mail with a null sender, of which nobody can be told",
    registers,
  });
  const unwritten = new Gauge({
    name: "mailboat_delivery_unwritten_outcomes",
    help: "Outcomes that could not be written and are tried again: cause spool stops all deliveries, cause outcome holds its own place",
    labelNames: ["cause"],
    registers,
  });
  for (const cause of ["spool", "outcome"]) unwritten.set({ cause }, 0);
  const phases = new Histogram({
    name: "mailboat_delivery_phase_seconds",
    help: "Time that attempts spend waiting for their start, resolving, signing, connecting and in the SMTP transaction",
    labelNames: ["phase"],
    buckets: latencyBuckets,
    registers,
  });
  return {
    phaseEnded: (phase, elapsed) => phases.observe({ phase }, elapsed),
    attempted: attemptMetrics(registry, domains, destinations),
    delivered: (elapsed, traceparent) => observeTraced(seconds, elapsed, traceparent),
    nextHopConnection: (result, tls = "none") => nextHops.inc({ result, tls }),
    notified: (notice) => notices.inc({ notice }),
    doubleBounced: () => doubleBounces.inc(),
    outcomesUnwritten: (cause, count) => unwritten.set({ cause }, count),
  };
}

function attemptMetrics(
  registry: OpenMetricsRegistry,
  domains: BoundedLabel,
  destinations: BoundedLabel,
): DeliveryMetrics["attempted"] {
  const registers = [registry];
  const attempts = new Counter({
    name: "mailboat_delivery_attempts",
    help: "Outcomes of attempts, one a recipient",
    labelNames: ["outcome", "code"],
    registers,
  });
  const byDestination = new Counter({
    name: "mailboat_delivery_destination_recipients",
    help: "Outcomes of attempts by destination and class of the reply; reply none is trouble before any reply",
    labelNames: ["destination", "outcome", "reply"],
    registers,
  });
  const byDomain = new Counter({
    name: "mailboat_delivery_domain_recipients",
    help: "Outcomes of attempts by sender domain",
    labelNames: ["domain", "outcome"],
    registers,
  });
  return ({ outcome, code, isRemote, domain, destination }) => {
    attempts.inc({ outcome, code: String(code) });
    byDestination.inc({ destination: destinations.of(destination), outcome, reply: replyClass(code, isRemote) });
    byDomain.inc({ domain: domains.of(domain), outcome });
  };
}

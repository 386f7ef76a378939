/** What next hops did and what senders were told. */
import { BoundedLabel, type MetricsRegistry } from "../../runtime/metrics.ts";
import type { NoticeAction } from "../mail/notice/due.ts";
import type { Outcome } from "../spool/verbs.ts";

/** What one attempt meant for one recipient. */
export interface RecipientAttempt {
  readonly outcome: Outcome["kind"];
  readonly code: number;
  readonly enhanced: string | undefined;
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
  /** The same, for the report. */
  readonly unwrittenOutcomes: Readonly<Record<UnwrittenCause, number>>;
}

/** What is in the way of an outcome: the whole spool, or what the outcome itself says. */
export type UnwrittenCause = "spool" | "outcome";

export interface DeliveryLabels {
  /** Sender domains that have series of their own. */
  readonly domains: BoundedLabel;
  readonly destinations: BoundedLabel;
}

export function deliveryMetrics(registry: MetricsRegistry, labels: DeliveryLabels): DeliveryMetrics {
  const seconds = registry.tracedLatency({
    name: "mailboat_delivery_seconds",
    help: "From acceptance to the next hop's 250",
  });
  const nextHops = registry.counter({
    name: "mailboat_delivery_connections",
    help: "Connections to next hops, by result and TLS version",
    labelNames: ["result", "tls"],
  });
  const notices = registry.counter({
    name: "mailboat_delivery_notices",
    help: "Notices written to senders, by what they report",
    labelNames: ["notice"],
  });
  const doubleBounces = registry.counter({
    name: "mailboat_delivery_double_bounces",
    help: "Failed recipients of mail with a null sender, of which nobody can be told",
  });
  const unwritten = registry.gauge({
    name: "mailboat_delivery_unwritten_outcomes",
    help: "Outcomes that could not be written and are tried again: cause spool stops all deliveries, cause outcome holds its own place",
    labelNames: ["cause"],
  });
  for (const cause of ["spool", "outcome"]) unwritten.set({ cause }, 0);
  const phases = registry.latency({
    name: "mailboat_delivery_phase_seconds",
    help: "Time that attempts spend waiting for their start, resolving, signing, connecting and in the SMTP transaction",
    labelNames: ["phase"],
  });
  const unwrittenOutcomes = { spool: 0, outcome: 0 };
  return {
    phaseEnded: (phase, elapsed) => phases.observe({ phase }, elapsed),
    attempted: attemptMetrics(registry, labels),
    delivered: seconds,
    nextHopConnection: (result, tls = "none") => nextHops.inc({ result, tls }),
    notified: (notice) => notices.inc({ notice }),
    doubleBounced: () => doubleBounces.inc(),
    outcomesUnwritten(cause, count) {
      unwrittenOutcomes[cause] = count;
      unwritten.set({ cause }, count);
    },
    unwrittenOutcomes,
  };
}

function attemptMetrics(
  registry: MetricsRegistry,
  { domains, destinations }: DeliveryLabels,
): DeliveryMetrics["attempted"] {
  const attempts = registry.counter({
    name: "mailboat_delivery_attempts",
    help: "Outcomes of attempts, one a recipient",
    labelNames: ["outcome", "code"],
  });
  const byDestination = registry.counter({
    name: "mailboat_delivery_destination_recipients",
    help: "Outcomes of attempts by destination and class of the reply; reply none is trouble before any reply",
    labelNames: ["destination", "outcome", "reply"],
  });
  const byDomain = registry.counter({
    name: "mailboat_delivery_domain_recipients",
    help: "Outcomes of attempts by sender domain",
    labelNames: ["domain", "outcome"],
  });
  const countRefusal = refusalMetrics(registry);
  return ({ outcome, code, enhanced, isRemote, domain, destination }) => {
    const named = destinations.of(destination);
    attempts.inc({ outcome, code: String(code) });
    byDestination.inc({ destination: named, outcome, reply: replyClass(code, isRemote) });
    byDomain.inc({ domain: domains.of(domain), outcome });
    if (outcome === "deferred" || outcome === "failed")
      countRefusal({ destination: named, outcome, code: String(code), enhanced });
  };
}

interface Refusal {
  readonly destination: string;
  readonly outcome: string;
  readonly code: string;
  readonly enhanced: string | undefined;
}

/** Next hops invent codes: those beyond the first so many have no name. */
const namedStatuses = 100;

/** The last refusal of each destination: one series for it, whatever it says. */
function refusalMetrics(registry: MetricsRegistry): (refusal: Refusal) => void {
  const labelNames = ["destination", "outcome", "code", "enhanced"];
  const refusals = registry.gauge({
    name: "mailboat_delivery_destination_refusal_timestamp_seconds",
    help: "When a destination last put off or refused a recipient, by what it said then",
    labelNames,
  });
  const statuses = new BoundedLabel(namedStatuses);
  const last = new Map<string, Record<string, string>>();
  return ({ destination, outcome, code, enhanced }) => {
    const labels = { destination, outcome, code, enhanced: enhanced === undefined ? "" : statuses.of(enhanced) };
    const before = last.get(destination);
    if (before !== undefined) refusals.remove(before);
    last.set(destination, labels);
    refusals.setToCurrentTime(labels);
  };
}

/** `2xx`, `4xx` or `5xx`; `none` when nobody replied, such as a connection that was refused. */
export function replyClass(code: number, isRemote: boolean): string {
  return isRemote ? `${Math.floor(code / 100)}xx` : "none";
}

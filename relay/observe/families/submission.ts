/** What clients did and what they were told. */
import { Counter, Gauge, Histogram } from "prom-client";
import type { BoundedLabel } from "../labels.ts";
import { latencyBuckets, observeTraced, type OpenMetricsRegistry } from "./family.ts";

export interface Acceptance {
  readonly listener: string;
  /** Of the header From. */
  readonly domain: string;
  /** `TLSv1.3` and the like; undefined in the clear. */
  readonly tls: string | undefined;
  readonly sizeBytes: number;
  /** From DATA to the 250. */
  readonly seconds: number;
  readonly traceparent: string | undefined;
}

export interface SubmissionMetrics {
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  authenticated(mechanism: string, result: "success" | "failure"): void;
  accepted(acceptance: Acceptance): void;
  refused(listener: string, code: number, enhanced: string): void;
  /** A connection was closed before anything was said. */
  turnedAway(listener: string): void;
}

export function submissionMetrics(registry: OpenMetricsRegistry, domains: BoundedLabel): SubmissionMetrics {
  const registers = [registry];
  const connections = new Gauge({
    name: "mailboat_submission_connections",
    help: "Open client connections",
    labelNames: ["listener"],
    registers,
  });
  const authentications = new Counter({
    name: "mailboat_submission_authentications",
    help: "AUTH exchanges by mechanism and result",
    labelNames: ["mechanism", "result"],
    registers,
  });
  const refusals = new Counter({
    name: "mailboat_submission_refusals",
    help: "Commands and messages refused, by reply",
    labelNames: ["listener", "code", "enhanced"],
    registers,
  });
  const turnedAway = new Counter({
    name: "mailboat_submission_turned_away_connections",
    help: "Connections closed without a word, because their client makes trouble and opened too many in one second",
    labelNames: ["listener"],
    registers,
  });
  return {
    turnedAway: (listener) => turnedAway.inc({ listener }),
    connectionOpened: (listener) => connections.inc({ listener }),
    connectionClosed: (listener) => connections.dec({ listener }),
    authenticated: (mechanism, result) => authentications.inc({ mechanism, result }),
    refused: (listener, code, enhanced) => refusals.inc({ listener, code: String(code), enhanced }),
    accepted: acceptanceMetrics(registry, domains),
  };
}

function acceptanceMetrics(registry: OpenMetricsRegistry, domains: BoundedLabel): SubmissionMetrics["accepted"] {
  const registers = [registry];
  const messages = new Counter({
    name: "mailboat_submission_accepted_messages",
    help: "Messages answered 250, by listener and TLS version",
    labelNames: ["listener", "tls"],
    registers,
  });
  const domainMessages = new Counter({
    name: "mailboat_submission_domain_messages",
    help: "Messages answered 250, by sender domain",
    labelNames: ["domain"],
    registers,
  });
  const bytes = new Counter({
    name: "mailboat_submission_accepted_bytes",
    help: "Size of messages answered 250",
    labelNames: ["listener"],
    registers,
  });
  const seconds = new Histogram({
    name: "mailboat_submission_accept_seconds",
    help: "From DATA to the 250 that says the message is safe",
    buckets: latencyBuckets,
    enableExemplars: true,
    registers,
  });
  return ({ listener, domain, tls = "none", sizeBytes, seconds: elapsed, traceparent }) => {
    messages.inc({ listener, tls });
    domainMessages.inc({ domain: domains.of(domain) });
    bytes.inc({ listener }, sizeBytes);
    observeTraced(seconds, elapsed, traceparent);
  };
}

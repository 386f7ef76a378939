/** What clients did and what they were told. */
import type { BoundedLabel, MetricsRegistry } from "../../runtime/metrics.ts";
import type { Exhausted } from "../limits/quota.ts";
import type { ShownResult } from "./identity/shown.ts";
import type { HeldBack } from "./identity/restraint.ts";
import type { LoginUse } from "./identity/uses.ts";

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

export interface ReceptionMetrics {
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  authenticated(mechanism: string, result: "success" | "failure"): void;
  /** A login was not looked at, or only after a while, because too many failed: of the client, of the user or of both together. */
  loginHeldBack(how: HeldBack["kind"], failed: HeldBack["by"]): void;
  accepted(acceptance: Acceptance): void;
  refused(listener: string, code: number, enhanced: string): void;
  /** A connection was closed before anything was said. */
  turnedAway(listener: string): void;
  /** What a client showed in a TLS handshake that asked for a certificate. */
  clientCertificate(listener: string, result: ShownResult): void;
  /** A check was asked and gave no answer. */
  checkSilent(check: string, reason: "overdue" | "failed"): void;
  /** Something was refused because its sender has sent what it may. */
  quotaExhausted(lacking: Exhausted, domain: string): void;
  /** Since the start, for the report. */
  readonly acceptedMessages: number;
}

export function receptionMetrics(registry: MetricsRegistry, domains: BoundedLabel): ReceptionMetrics {
  const connections = registry.gauge({
    name: "mailboat_submission_connections",
    help: "Open client connections",
    labelNames: ["listener"],
  });
  const refusals = registry.counter({
    name: "mailboat_submission_refusals",
    help: "Commands and messages refused, by reply",
    labelNames: ["listener", "code", "enhanced"],
  });
  const turnedAway = registry.counter({
    name: "mailboat_submission_turned_away_connections",
    help: "Connections closed without a word, because their client makes trouble and opened too many in one second",
    labelNames: ["listener"],
  });
  const silences = registry.counter({
    name: "mailboat_submission_silent_checks",
    help: "Questions to a check that got no answer in time, or a failure, and so a temporary refusal",
    labelNames: ["check", "reason"],
  });
  const quotaRefusals = registry.counter({
    name: "mailboat_submission_quota_refusals",
    help: "Commands and messages refused because the domain, its namespace or the sender has sent what it may in an hour",
    labelNames: ["domain", "scope", "limit"],
  });
  const clientCertificates = registry.counter({
    name: "mailboat_submission_client_certificates",
    help: "TLS handshakes that asked for a client certificate, by what came of it",
    labelNames: ["listener", "result"],
  });
  const countAcceptance = acceptanceMetrics(registry, domains);
  let acceptedMessages = 0;
  return {
    turnedAway: (listener) => turnedAway.inc({ listener }),
    connectionOpened: (listener) => connections.inc({ listener }),
    connectionClosed: (listener) => connections.dec({ listener }),
    ...loginCounts(registry),
    refused: (listener, code, enhanced) => refusals.inc({ listener, code: String(code), enhanced }),
    quotaExhausted: ({ kind, quota: { scope } }, domain) =>
      quotaRefusals.inc({ domain: domains.of(domain), scope, limit: kind }),
    clientCertificate: (listener, result) => clientCertificates.inc({ listener, result }),
    checkSilent: (check, reason) => silences.inc({ check, reason }),
    accepted(acceptance) {
      acceptedMessages += 1;
      countAcceptance(acceptance);
    },
    get acceptedMessages() {
      return acceptedMessages;
    },
  };
}

function loginCounts(registry: MetricsRegistry): Pick<ReceptionMetrics, "authenticated" | "loginHeldBack"> {
  const authentications = registry.counter({
    name: "mailboat_submission_authentications",
    help: "AUTH exchanges by mechanism and result",
    labelNames: ["mechanism", "result"],
  });
  const heldBack = registry.counter({
    name: "mailboat_submission_held_back_logins",
    help: "Logins that were refused unseen or looked at slowly, because too many failed: of the client, the user or both together",
    labelNames: ["how", "failed"],
  });
  return {
    authenticated: (mechanism, result) => authentications.inc({ mechanism, result }),
    loginHeldBack: (how, failed) => heldBack.inc({ how, failed }),
  };
}

function acceptanceMetrics(registry: MetricsRegistry, domains: BoundedLabel): ReceptionMetrics["accepted"] {
  const messages = registry.counter({
    name: "mailboat_submission_accepted_messages",
    help: "Messages answered 250, by listener and TLS version",
    labelNames: ["listener", "tls"],
  });
  const domainMessages = registry.counter({
    name: "mailboat_submission_domain_messages",
    help: "Messages answered 250, by sender domain",
    labelNames: ["domain"],
  });
  const bytes = registry.counter({
    name: "mailboat_submission_accepted_bytes",
    help: "Size of messages answered 250",
    labelNames: ["listener"],
  });
  const seconds = registry.tracedLatency({
    name: "mailboat_submission_accept_seconds",
    help: "From DATA to the 250 that says the message is safe",
  });
  return ({ listener, domain, tls = "none", sizeBytes, seconds: elapsed, traceparent }) => {
    messages.inc({ listener, tls });
    domainMessages.inc({ domain: domains.of(domain) });
    bytes.inc({ listener }, sizeBytes);
    seconds(elapsed, traceparent);
  };
}

/** Of the Secrets that there are, used or not: a number of series that an alert about those that are not used needs. */
export function loginMetrics(registry: MetricsRegistry, uses: () => readonly LoginUse[]): void {
  const lastUsed = registry.gauge({
    name: "mailboat_submission_login_last_used_timestamp_seconds",
    help: "When a client last came in by the password of a Secret; 0 while none has since the start",
    labelNames: ["secret"],
  });
  registry.onScrape(() => {
    lastUsed.reset();
    for (const { secret, lastUsedAt = 0 } of uses()) lastUsed.set({ secret }, lastUsedAt / 1000);
  });
}

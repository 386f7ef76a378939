/**
 * What the relay counts, in OpenMetrics form. Names are `mailboat_<room>_<thing>_<unit>`; label sets are bounded:
 * reply classes and listener names, never addresses.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { NoticeAction } from "../mail/notice/due.ts";
import type { SpoolDepth } from "../spool/spool.ts";

/** Everything a room may report; a room takes this and knows nothing of prom-client. */
export interface RelayMetrics {
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  authenticated(mechanism: string, result: "success" | "failure"): void;
  accepted(listener: string, sizeBytes: number, seconds: number): void;
  refused(listener: string, code: number, enhanced: string): void;
  attempted(outcome: "delivered" | "deferred" | "failed", code: number): void;
  /** Seconds from acceptance to the recipient's delivery. */
  delivered(seconds: number): void;
  nextHopConnection(result: "opened" | "failed"): void;
  /** A notice was written to a sender. */
  notified(notice: NoticeAction): void;
  /** A recipient of mail from nobody, such as a notice, failed: nobody can be told. */
  doubleBounced(): void;
  committed(messages: number, seconds: number): void;
  configurationLoaded(result: "success" | "failure"): void;
}

export interface MetricsEndpoint extends RelayMetrics {
  /** OpenMetrics text. */
  render(): Promise<string>;
  readonly contentType: string;
  /** Messages accepted since the start, for the report. */
  readonly acceptedMessages: number;
}

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

type OpenMetricsRegistry = Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>;

/** `depth` is asked at each scrape; when it fails the gauges keep their last value. */
export function createMetrics(depth: () => Promise<SpoolDepth>): MetricsEndpoint {
  const registry: OpenMetricsRegistry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collectDefaultMetrics({ register: registry });
  registerDepth(registry, depth);
  let acceptedMessages = 0;
  const submission = submissionMetrics(registry);
  return {
    ...submission,
    ...deliveryMetrics(registry),
    ...keepingMetrics(registry),
    accepted(listener, sizeBytes, seconds) {
      acceptedMessages += 1;
      submission.accepted(listener, sizeBytes, seconds);
    },
    render: async () => registry.metrics(),
    contentType: registry.contentType,
    get acceptedMessages() {
      return acceptedMessages;
    },
  };
}

type SubmissionMetrics = Pick<
  RelayMetrics,
  "connectionOpened" | "connectionClosed" | "authenticated" | "accepted" | "refused"
>;

function submissionMetrics(registry: OpenMetricsRegistry): SubmissionMetrics {
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
  const messages = new Counter({
    name: "mailboat_submission_accepted_messages",
    help: "Messages answered 250",
    labelNames: ["listener"],
    registers,
  });
  const bytes = new Counter({
    name: "mailboat_submission_accepted_bytes",
    help: "Size of messages answered 250",
    labelNames: ["listener"],
    registers,
  });
  const acceptSeconds = new Histogram({
    name: "mailboat_submission_accept_seconds",
    help: "From DATA to the 250 that says the message is safe",
    buckets: latencyBuckets,
    registers,
  });
  const refusals = new Counter({
    name: "mailboat_submission_refusals",
    help: "Commands and messages refused, by reply",
    labelNames: ["listener", "code", "enhanced"],
    registers,
  });
  return {
    connectionOpened: (listener) => connections.inc({ listener }),
    connectionClosed: (listener) => connections.dec({ listener }),
    authenticated: (mechanism, result) => authentications.inc({ mechanism, result }),
    accepted(listener, sizeBytes, seconds) {
      messages.inc({ listener });
      bytes.inc({ listener }, sizeBytes);
      acceptSeconds.observe(seconds);
    },
    refused: (listener, code, enhanced) => refusals.inc({ listener, code: String(code), enhanced }),
  };
}

type DeliveryMetrics = Pick<
  RelayMetrics,
  "attempted" | "delivered" | "nextHopConnection" | "notified" | "doubleBounced"
>;

function deliveryMetrics(registry: OpenMetricsRegistry): DeliveryMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: "mailboat_delivery_attempts",
    help: "Outcomes of attempts, one a recipient",
    labelNames: ["outcome", "code"],
    registers,
  });
  const seconds = new Histogram({
    name: "mailboat_delivery_seconds",
    help: "From acceptance to the next hop's 250",
    buckets: latencyBuckets,
    registers,
  });
  const nextHops = new Counter({
    name: "mailboat_delivery_connections",
    help: "Connections to next hops",
    labelNames: ["result"],
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
  return {
    attempted: (outcome, code) => attempts.inc({ outcome, code: String(code) }),
    delivered: (elapsed) => seconds.observe(elapsed),
    nextHopConnection: (result) => nextHops.inc({ result }),
    notified: (notice) => notices.inc({ notice }),
    doubleBounced: () => doubleBounces.inc(),
  };
}

function keepingMetrics(registry: OpenMetricsRegistry): Pick<RelayMetrics, "committed" | "configurationLoaded"> {
  const registers = [registry];
  const commitSeconds = new Histogram({
    name: "mailboat_spool_commit_seconds",
    help: "One transaction with its sync",
    buckets: latencyBuckets,
    registers,
  });
  const commitWrites = new Counter({
    name: "mailboat_spool_committed_writes",
    help: "Writes that joined a transaction; divided by the commits it tells how large groups are",
    registers,
  });
  const loads = new Counter({
    name: "mailboat_configuration_loads",
    help: "Configurations read, by result",
    labelNames: ["result"],
    registers,
  });
  return {
    committed(writes, seconds) {
      commitWrites.inc(writes);
      commitSeconds.observe(seconds);
    },
    configurationLoaded: (result) => loads.inc({ result }),
  };
}

function registerDepth(registry: OpenMetricsRegistry, depth: () => Promise<SpoolDepth>): void {
  const registers = [registry];
  const recipients = new Gauge({
    name: "mailboat_spool_queued_recipients",
    help: "Recipients that wait for their outcome",
    registers,
    async collect() {
      const now = await depth();
      this.set(now.queuedRecipients);
      queued.set(now.queuedMessages);
      used.set(now.usedBytes);
      oldest.set(now.oldestDueAt === undefined ? 0 : now.oldestDueAt / 1000);
    },
  });
  const queued = new Gauge({ name: "mailboat_spool_queued_messages", help: "Messages in the spool", registers });
  const used = new Gauge({ name: "mailboat_spool_used_bytes", help: "Live pages, log and body files", registers });
  const oldest = new Gauge({
    name: "mailboat_spool_oldest_due_timestamp_seconds",
    help: "When the longest overdue recipient became due; 0 when none is",
    registers,
  });
  recipients.set(0);
}

/** What is told of a message that is in the spool: to its trace, metrics, log and history, and to the client. */
import type { EnvelopeRecipient } from "../../mail/envelope.ts";
import type { Reply } from "../../mail/reply.ts";
import type { Journal } from "../../observe/journal.ts";
import { destinationsOf } from "../../observe/transition.ts";
import type { ReceptionMetrics } from "../metrics.ts";
import type { SessionTrace } from "../sessiontrace.ts";
import type { Accepted } from "./accept.ts";

export interface Told {
  readonly metrics: Pick<ReceptionMetrics, "accepted">;
  readonly journal: Journal;
  readonly trace: SessionTrace;
}

/** How it came. */
export interface Arrived {
  readonly listener: string;
  /** `<version> <suite>` inside TLS. */
  readonly cipher: string | undefined;
  readonly recipients: ReadonlyMap<string, EnvelopeRecipient>;
  /** From DATA to now. */
  readonly seconds: number;
}

export function announce({ metrics, journal, trace }: Told, message: Accepted, arrived: Arrived): Reply {
  const { id: spoolId, domain, sizeBytes, acceptedAt, messageId } = message;
  const { listener, cipher, seconds } = arrived;
  const recipients = arrived.recipients.size;
  const reply = { code: 250, enhanced: "2.6.0", text: `Message accepted as ${spoolId}` };
  const { traceparent, traceId } = trace.accepted(reply, { sizeBytes, recipients });
  metrics.accepted({ listener, domain, tls: cipher?.split(" ")[0], sizeBytes, seconds, traceparent });
  const { code, enhanced } = reply;
  const line = { spoolId, domain, listener, sizeBytes, recipients, code, enhanced, traceId };
  journal.write({ kind: "accepted", line }, () => {
    const destinations = destinationsOf(arrived.recipients.values());
    return { spoolId, domain, acceptedAt, sizeBytes, destinations, messageId };
  });
  return reply;
}

/**
 * How long accepted mail has waited, and how many messages were late: what is asked when nothing moves any more, and counts of what
 * was delivered stand still. Asked for at each scrape.
 */
import { otherValues, type MetricsRegistry } from "../../runtime/metrics.ts";
import { ages, type OlderThan, type Waiting } from "./queue.ts";

/** Sender domains that have series of their own; the rest is one. */
const listedDomains = 100;

/** Returns what brings the series up to date. */
export function waitingMetrics(
  registry: MetricsRegistry,
  waiting: (limit: number) => Promise<Waiting>,
): () => Promise<void> {
  const objective = registry.counter({
    name: "mailboat_spool_objective_messages",
    help: "Accepted messages, each once: in_time when it was through within five minutes, late from the moment at which it was not",
    labelNames: ["result"],
  });
  const counted = { in_time: 0, late: 0 };
  // An increase from nothing is seen only where the nothing was. The start has counted what became late while no process was there: the
  // first page says 0 all the same, and the next one says what there is.
  for (const result of ["in_time", "late"]) objective.inc({ result }, 0);
  const oldest = registry.gauge({
    name: "mailboat_spool_oldest_waiting_timestamp_seconds",
    help: "When the oldest message that still waits was accepted; 0 when none waits",
  });
  const messages = registry.gauge({
    name: "mailboat_spool_waiting_messages",
    help: "Messages that still wait and were accepted longer ago than that; the older ones are in the younger ones",
    labelNames: ["older_than"],
  });
  const count = ({ objective: { inTime, late } }: Waiting): void => {
    objective.inc({ result: "in_time" }, Math.max(0, inTime - counted.in_time));
    objective.inc({ result: "late" }, Math.max(0, late - counted.late));
    counted.in_time = Math.max(counted.in_time, inTime);
    counted.late = Math.max(counted.late, late);
  };
  const refreshDomains = domainGauges(registry);
  return async () => {
    const now = await waiting(listedDomains);
    if (registry.wasRendered) count(now);
    oldest.set(now.oldestAcceptedAt === undefined ? 0 : now.oldestAcceptedAt / 1000);
    for (const age of ages) messages.set({ older_than: age }, now.olderThan[age]);
    refreshDomains(now);
  };
}

function domainGauges(registry: MetricsRegistry): (now: Waiting) => void {
  const oldest = registry.gauge({
    name: "mailboat_spool_domain_oldest_waiting_timestamp_seconds",
    help: "When the oldest waiting message of a sender domain was accepted; of domains with messages over five minutes, those with most",
    labelNames: ["domain"],
  });
  const messages = registry.gauge({
    name: "mailboat_spool_domain_waiting_messages",
    help: "Messages that still wait and were accepted longer ago than that, by sender domain: those with most, and (other)",
    labelNames: ["domain", "older_than"],
  });
  const set = (domain: string, olderThan: OlderThan): void => {
    for (const age of ages) messages.set({ domain, older_than: age }, olderThan[age]);
  };
  return ({ domains, others }) => {
    oldest.reset();
    messages.reset();
    for (const { domain, olderThan, oldestAcceptedAt } of domains) {
      set(domain, olderThan);
      if (oldestAcceptedAt !== undefined) oldest.set({ domain }, oldestAcceptedAt / 1000);
    }
    set(otherValues, others);
  };
}

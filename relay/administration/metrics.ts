/** What came over the administration port. */
import type { MetricsRegistry } from "../../runtime/metrics.ts";

export interface AdministrationMetrics {
  /** `caller`: operator, peer or stranger. */
  administered(caller: string, code: number): void;
  drainOrdered(isOrdered: boolean): void;
}

export function administrationMetrics(registry: MetricsRegistry): AdministrationMetrics {
  const requests = registry.counter({
    name: "mailboat_administration_requests",
    help: "Requests on the administration port, by who asked (operator, peer, stranger) and answer",
    labelNames: ["caller", "code"],
  });
  const ordered = registry.gauge({
    name: "mailboat_administration_drain_order",
    help: "1 while an order to drain is in force: no mail is taken",
  });
  return {
    administered: (caller, code) => requests.inc({ caller, code: String(code) }),
    drainOrdered: (isOrdered) => ordered.set(isOrdered ? 1 : 0),
  };
}

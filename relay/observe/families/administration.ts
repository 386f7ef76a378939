/** What came over the administration port. */
import { Counter, Gauge } from "prom-client";
import type { OpenMetricsRegistry } from "./family.ts";

export interface AdministrationMetrics {
  /** `caller`: operator, peer or stranger. */
  administered(caller: string, code: number): void;
  drainOrdered(isOrdered: boolean): void;
}

export function administrationMetrics(registry: OpenMetricsRegistry): AdministrationMetrics {
  const registers = [registry];
  const requests = new Counter({
    name: "mailboat_administration_requests",
    help: "Requests on the administration port, by who asked (operator, peer, stranger) and answer",
    labelNames: ["caller", "code"],
    registers,
  });
  const ordered = new Gauge({
    name: "mailboat_administration_drain_order",
    help: "1 while an order to drain is in force: no mail is taken",
    registers,
  });
  return {
    administered: (caller, code) => requests.inc({ caller, code: String(code) }),
    drainOrdered: (isOrdered) => ordered.set(isOrdered ? 1 : 0),
  };
}

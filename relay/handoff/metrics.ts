/** Mail that goes from pod to pod of the relay. */
import type { MetricsRegistry } from "../../runtime/metrics.ts";

/** `set_aside`: the peer refused the message itself. `unknown`: no answer came, and the peer is asked. */
export const givenResults = ["handed_over", "refused", "unreachable", "set_aside", "unknown"] as const;
/** `known`: it had come before. */
export const takenResults = ["taken", "known", "refused"] as const;

export type GivenResult = (typeof givenResults)[number];
export type TakenResult = (typeof takenResults)[number];

export interface HandoffMetrics {
  /** A transfer to a peer ended. */
  given(result: GivenResult): void;
  /** A peer's transfer to us ended. */
  taken(result: TakenResult): void;
}

export function handoffMetrics(registry: MetricsRegistry): HandoffMetrics {
  const transfers = registry.counter({
    name: "mailboat_handoff_messages",
    help: "Transfers of messages between pods of this relay, by direction and result",
    labelNames: ["direction", "result"],
  });
  // A counter that is there before its first event has a rate at that event.
  for (const result of givenResults) transfers.inc({ direction: "given", result }, 0);
  for (const result of takenResults) transfers.inc({ direction: "taken", result }, 0);
  return {
    given: (result) => transfers.inc({ direction: "given", result }),
    taken: (result) => transfers.inc({ direction: "taken", result }),
  };
}

/** `/quotas`: the operator leases this pod shares of what may be sent in an hour. In memory alone: they end by themselves. */
import { quotaLeases, quotasPath } from "../../api/administration.ts";
import { readOrder, reply } from "./order.ts";
import type { Route } from "./route.ts";

/** Who counts. */
export interface Leased {
  lease(shares: ReadonlyMap<string, number>, forMs: number): void;
}

export function quotaRoutes(quotas: Leased): readonly Route[] {
  return [
    {
      method: "POST",
      path: quotasPath,
      allowed: "operator",
      async answer(request, response) {
        const order = await readOrder(request, response, quotaLeases);
        if (order === undefined) return;
        quotas.lease(new Map(order.shares.map(({ key, share }) => [key, share])), order.forMs);
        return reply(response, 200, "the shares are in force");
      },
    },
  ];
}

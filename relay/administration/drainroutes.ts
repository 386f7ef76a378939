/** `/drain`: the operator gives, renews and takes back the order to leave. */
import { drainOrder, drainPath } from "../../api/administration.ts";
import type { Log } from "../../runtime/log.ts";
import { readOrder, reply } from "./order.ts";
import type { DrainState } from "./orders.ts";
import type { Route } from "./route.ts";

export interface DrainRoutesOptions {
  readonly orders: DrainState;
  readonly log: Log;
}

export function drainRoutes({ orders, log }: DrainRoutesOptions): readonly Route[] {
  return [
    {
      method: "POST",
      path: drainPath,
      allowed: "operator",
      async answer(request, response) {
        const order = await readOrder(request, response, drainOrder);
        if (order === undefined) return;
        const change = orders.give(order);
        const peers = order.peers.map((peer) => peer.name);
        if (change !== "same") log.info({ change, peers }, "drain ordered");
        return reply(response, 200, "the order to drain is in force");
      },
    },
    {
      method: "DELETE",
      path: drainPath,
      allowed: "operator",
      async answer(_request, response) {
        const wasThere = orders.takeBack();
        if (wasThere) log.info("drain taken back");
        return reply(response, 200, wasThere ? "the order to drain is taken back" : "there is no order to drain");
      },
    },
  ];
}

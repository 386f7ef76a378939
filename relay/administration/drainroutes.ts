/** `/drain`: the operator gives, renews and takes back the order to leave. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { drainOrder, drainPath, type DrainOrder } from "../../api/administration.ts";
import type { Log } from "../../runtime/log.ts";
import type { DrainState } from "./orders.ts";
import type { Route } from "./route.ts";

/** A thousand peers with the longest names that DNS has. */
const orderOctets = 1_048_576;

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
        const text = await readBody(request);
        if (text === undefined) {
          response.setHeader("connection", "close");
          return reply(response, 413, `an order has at most ${orderOctets} octets`);
        }
        const order = decodeOrder(text);
        if (typeof order === "string") return reply(response, 400, order);
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

/** Undefined when it is too large; what follows is left unread. Rejects when the connection breaks off. */
function readBody(request: IncomingMessage): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const chunks: Buffer[] = [];
  let octets = 0;
  request.on("data", (chunk: Buffer) => {
    octets += chunk.length;
    chunks.push(chunk);
    if (octets <= orderOctets) return;
    request.pause();
    resolve(undefined);
  });
  request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
  request.once("error", reject);
  return promise;
}

/** The order, or what is wrong with it. */
function decodeOrder(text: string): DrainOrder | string {
  try {
    return drainOrder.parse(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof z.ZodError)) return `an order is JSON: ${String(error)}`;
    return error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  }
}

async function reply(response: ServerResponse, code: number, text: string): Promise<void> {
  response.writeHead(code, { "content-type": "text/plain; charset=utf-8" });
  await new Promise<void>((resolve) => {
    // Also when the connection is gone before it was told.
    response.once("close", resolve);
    response.end(`${text}\n`);
  });
}

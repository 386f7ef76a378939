/** An order of the operator as it comes over the wire, and the answer to it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";

/** A thousand peers with the longest names that DNS has. */
const orderOctets = 1_048_576;

/** The order; undefined when there is none that could be obeyed, and the response has said so. */
export async function readOrder<T>(
  request: IncomingMessage,
  response: ServerResponse,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const text = await readBody(request);
  if (text === undefined) {
    response.setHeader("connection", "close");
    await reply(response, 413, `an order has at most ${orderOctets} octets`);
    return undefined;
  }
  const order = decode(text, schema);
  if (order.kind === "order") return order.order;
  await reply(response, 400, order.why);
  return undefined;
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

type Decoded<T> = { readonly kind: "order"; readonly order: T } | { readonly kind: "fault"; readonly why: string };

function decode<T>(text: string, schema: z.ZodType<T>): Decoded<T> {
  try {
    return { kind: "order", order: schema.parse(JSON.parse(text)) };
  } catch (error) {
    if (!(error instanceof z.ZodError)) return { kind: "fault", why: `an order is JSON: ${String(error)}` };
    return { kind: "fault", why: error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ") };
  }
}

export async function reply(response: ServerResponse, code: number, text: string): Promise<void> {
  response.writeHead(code, { "content-type": "text/plain; charset=utf-8" });
  await new Promise<void>((resolve) => {
    // Also when the connection is gone before it was told.
    response.once("close", resolve);
    response.end(`${text}\n`);
  });
}

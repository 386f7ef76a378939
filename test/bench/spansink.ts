/** Where the bench's traced relays export to: takes everything, looks at nothing, and costs the relay no CPU. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface SpanSink {
  readonly endpoint: string;
  /** Exports taken so far. */
  readonly exports: number;
  stop(): void;
}

export async function openSpanSink(): Promise<SpanSink> {
  let exports = 0;
  const server = createServer((incoming, outgoing) => {
    incoming.resume();
    incoming.once("end", () => {
      exports += 1;
      outgoing.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get exports() {
      return exports;
    },
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { test, type TestContext } from "node:test";
import { Client } from "./client.ts";
import { isFailure } from "./failure.ts";
import { Transport } from "./transport.ts";

const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "mail", name: "settings" } };
const configMaps = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };

async function serverOf(
  context: TestContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Transport> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const credentials = { headers: {}, tls: {}, proxy: undefined };
  const transport = new Transport({
    server: new URL(`http://127.0.0.1:${port}`),
    namespace: undefined,
    credentials: () => Promise.resolve(credentials),
  });
  context.after(() => {
    transport.close();
    server.closeAllConnections();
    server.close();
  });
  return transport;
}

test("a write that a dead connection sends back does not leave again once the lease is not fresh", async (context) => {
  let mayWrite = true;
  let writes = 0;
  const transport = await serverOf(context, (request, response) => {
    if (request.method === "GET") {
      response.end(JSON.stringify(object));
      return;
    }
    writes += 1;
    mayWrite = false;
    request.socket.destroy();
  });
  const client = new Client({ transport, concurrency: 1, now: () => performance.now(), mayWrite: () => mayWrite });
  // The connection is kept, and the write goes over it.
  await client.get(configMaps, object.metadata);
  await assert.rejects(client.apply(configMaps, object, { fieldManager: "test" }), (error) =>
    isFailure(error, "Fenced"),
  );
  assert.equal(writes, 1);
});

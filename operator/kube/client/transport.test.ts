import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, createServer as createGate } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { makeCertificate } from "../../../test/support/keys.ts";
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

/** An API server whose TLS handshakes wait until they are let through. */
async function slowServer(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "mailboat-transport-"));
  const { certificate, privateKey } = makeCertificate(directory, "api");
  rmSync(directory, { recursive: true });
  const methods: string[] = [];
  const server = createTlsServer({ cert: certificate, key: privateKey }, (request, response) => {
    methods.push(request.method ?? "");
    response.end(JSON.stringify(object));
  });
  const arrived = Promise.withResolvers<void>();
  const mayPass = Promise.withResolvers<void>();
  const gate = createGate((client) => {
    arrived.resolve();
    void mayPass.promise.then(() => {
      const way = connect((server.address() as AddressInfo).port, "127.0.0.1");
      way.on("error", () => client.destroy());
      client.on("error", () => way.destroy());
      client.pipe(way).pipe(client);
    });
  });
  for (const one of [server, gate]) await once(one.listen(0, "127.0.0.1"), "listening");
  const credentials = { headers: {}, tls: { ca: certificate }, proxy: undefined };
  const transport = new Transport({
    server: new URL(`https://127.0.0.1:${(gate.address() as AddressInfo).port}`),
    namespace: undefined,
    credentials: () => Promise.resolve(credentials),
  });
  context.after(() => {
    transport.close();
    server.closeAllConnections();
    server.close();
    gate.close();
  });
  return { transport, methods, arrived: arrived.promise, letPass: mayPass.resolve };
}

for (const [what, isFresh] of [
  ["does not leave once the lease is not fresh", false],
  ["leaves while the lease is fresh", true],
] as const) {
  test(`a write whose TLS handshake is under way ${what}`, async (context) => {
    const { transport, methods, arrived, letPass } = await slowServer(context);
    let mayWrite = true;
    const client = new Client({ transport, concurrency: 1, now: () => performance.now(), mayWrite: () => mayWrite });
    const write = client.apply(configMaps, object, { fieldManager: "test" });
    await Promise.race([arrived, write]);
    mayWrite = isFresh;
    letPass();
    if (isFresh) await write;
    else await assert.rejects(write, (error) => isFailure(error, "Fenced"));
    // A second one goes over the connection that is there.
    await client.get(configMaps, object.metadata);
    assert.deepEqual(methods, isFresh ? ["PATCH", "GET"] : ["GET"]);
  });
}

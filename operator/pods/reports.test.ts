import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import type { RelayReport } from "../../api/relayreport.ts";
import type { Pod } from "../kube/objects.ts";
import { readReport } from "./reports.ts";

const report: RelayReport = {
  version: 1,
  spool: { queuedRecipients: 3, queuedMessages: 2, usedBytes: 10, capacityBytes: 100, full: false, spoolId: "one" },
  draining: false,
  acceptedMessages: 5,
  startedAt: "2026-01-01T00:00:00.000Z",
};

async function podAt(t: TestContext, host: string, answer: RequestListener): Promise<Pod> {
  const server = createServer(answer).listen(0, host);
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return pod(host, (server.address() as AddressInfo).port);
}

function pod(podIP: string, containerPort: number, ready = true): Pod {
  const ports = [
    { name: "smtp", containerPort: 1 },
    { name: "http", containerPort },
  ];
  const metadata = { name: "outbound-0", namespace: "mail" };
  return { apiVersion: "v1", kind: "Pod", metadata, status: { podIP, ready, ports, phase: "Running" } };
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`a pod at ${host} is asked for its status`, async (t) => {
    const asked: (string | undefined)[] = [];
    const at = await podAt(t, host, (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end(JSON.stringify(report));
    });
    assert.deepEqual(await readReport(at), report);
    assert.deepEqual(asked, ["GET /status"]);
  });
}

test("no connection is kept until the next look", async (t) => {
  const at = await podAt(t, "127.0.0.1", (request, response) => {
    closed.push(once(request.socket, "close"));
    response.end(JSON.stringify(report));
  });
  const closed: Promise<unknown>[] = [];
  await readReport(at);
  assert.equal(closed.length, 1);
  await Promise.all(closed);
});

const bad: Readonly<Record<string, RequestListener>> = {
  "an error": (_request, response) => response.writeHead(503).end(JSON.stringify(report)),
  "no JSON": (_request, response) => response.end("not ready"),
  "something else": (_request, response) => response.end("{}"),
  "half an answer": (_request, response) => {
    response.writeHead(200, { "content-length": "1000" }).write("{", () => response.destroy());
  },
  "nothing in time": () => undefined,
  "a body that never ends": (_request, response) => response.writeHead(200).write("{"),
};

for (const [what, answer] of Object.entries(bad)) {
  test(`a pod that answers with ${what} has no report`, async (t) => {
    assert.equal(await readReport(await podAt(t, "127.0.0.1", answer)), undefined);
  });
}

test("a pod that is not ready is not asked, and one that is gone has no report", async (t) => {
  const at = await podAt(t, "127.0.0.1", () => assert.fail("it was asked"));
  const port = at.status.ports.find(({ name }) => name === "http")?.containerPort ?? 0;
  assert.equal(await readReport(pod("127.0.0.1", port, false)), undefined);
  assert.equal(await readReport(pod("127.0.0.1", 1)), undefined);
});

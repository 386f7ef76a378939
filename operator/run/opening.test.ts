import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test, type TestContext } from "node:test";
import { createLog } from "../../runtime/log.ts";
import { Client } from "../kube/client/client.ts";
import { Transport } from "../kube/client/transport.ts";
import { assignsIds } from "./opening.ts";

/** A server that answers the question for OpenShift's kinds with each of these in turn, the last for ever. */
async function clientOf(context: TestContext, answers: readonly (readonly [number, object])[]): Promise<Client> {
  let asked = 0;
  const server = createServer((_request, response) => {
    const [code, body] = answers[Math.min(asked++, answers.length - 1)] ?? [500, {}];
    response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const transport = new Transport({
    server: new URL(`http://127.0.0.1:${port}`),
    namespace: undefined,
    credentials: () => Promise.resolve({ headers: {}, tls: {}, proxy: undefined }),
  });
  context.after(() => {
    transport.close();
    server.closeAllConnections();
    server.close();
  });
  return new Client({ transport, concurrency: 1, now: () => performance.now() });
}

const known = { kind: "APIResourceList", resources: [{ name: "securitycontextconstraints" }] };
const status = (code: number, reason: string): readonly [number, object] => [code, { kind: "Status", reason, code }];
const rows: readonly (readonly [string, readonly (readonly [number, object])[], boolean])[] = [
  ["OpenShift", [[200, known]], true],
  ["another cluster", [status(404, "NotFound")], false],
  ["one that forbids the question: the operator still begins", [status(403, "Forbidden")], false],
];

const asking = {
  log: createLog({ level: "silent", program: "test" }),
  monotonic: () => performance.now(),
  patienceMs: 60_000,
  present: () => assert.fail("nobody guesses while there is an answer"),
};

for (const [what, answers, expected] of rows) {
  test(`assignsIds() answers ${expected} for ${what}`, async (context) => {
    const client = await clientOf(context, answers);
    assert.equal(await assignsIds({ ...asking, client, stopping: AbortSignal.timeout(10_000) }), expected);
  });
}

for (const present of [true, false]) {
  test(`a server that never says which kinds it has holds up no relay: pods stay as they are (${present})`, async (context) => {
    const client = await clientOf(context, [status(503, "ServiceUnavailable")]);
    const stopping = AbortSignal.timeout(10_000);
    const lasting = { ...asking, client, stopping, patienceMs: 0, present: () => present };
    assert.equal(await assignsIds(lasting), present);
    assert.equal(stopping.aborted, false);
  });
}

test("without any relay nothing is guessed: the server is asked until it answers, or the operator stops", async (context) => {
  const unanswered = status(503, "ServiceUnavailable");
  const client = await clientOf(context, [unanswered, [200, known]]);
  const stopping = AbortSignal.timeout(30_000);
  const bare = { ...asking, client, stopping, patienceMs: 0, present: () => undefined };
  assert.equal(await assignsIds(bare), true);
  const silent = await clientOf(context, [unanswered]);
  const stop = new AbortController();
  const present = (): undefined => {
    stop.abort();
    return undefined;
  };
  assert.equal(await assignsIds({ ...bare, client: silent, stopping: stop.signal, present }), false);
});

/** The administration port over real TLS: who gets in, who may do what, and certificates that change under open connections. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { identityOf } from "../../api/administration.ts";
import { createLog } from "../../runtime/log.ts";
import { askPort, InternalAuthority, keepConnection, type PeerFiles } from "../../test/support/peers.ts";
import { snapshotOf, TestSnapshots } from "../../test/support/submission.ts";
import { decodePeer } from "../config/certificate.ts";
import { drainRoutes } from "./drainroutes.ts";
import { quotaRoutes } from "./quotaroutes.ts";
import { DrainState } from "./orders.ts";
import type { Route } from "./route.ts";
import { openAdministration, type Administration, type AdministrationOptions } from "./server.ts";

const relay = { namespace: "mail", name: "outbound" };
const authority = await InternalAuthority.make();
const [own, second, operator] = [await authority.relay(), await authority.relay(), await authority.operator()];
const own403 = "mailboat://relay/mail/outbound";

interface Desk {
  readonly snapshots: TestSnapshots;
  readonly orders: DrainState;
  readonly administration: Administration;
  /** Shares and for how long. */
  readonly leased: readonly (readonly [ReadonlyMap<string, number>, number])[];
  /** `caller code` of each answer. */
  readonly answers: string[];
  readonly port: number;
  mount(peer: PeerFiles | undefined): void;
}

const opened: Administration[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close(0);
});

function withPeer(peer: PeerFiles | undefined): ReturnType<typeof snapshotOf> {
  const files =
    peer === undefined ? {} : { "tls.crt": peer.certificate, "tls.key": peer.privateKey, "ca.crt": peer.authorities };
  return { ...snapshotOf({ listeners: [] }), peer: decodePeer(files, relay) };
}

async function deskOf(peer: PeerFiles | undefined, change: Partial<AdministrationOptions> = {}): Promise<Desk> {
  const snapshots = new TestSnapshots(withPeer(peer));
  const orders = new DrainState();
  const answers: string[] = [];
  const leased: Desk["leased"][number][] = [];
  const log = createLog({ level: "silent", program: "test" });
  const echo: Route = {
    method: "PUT",
    path: "/echo/",
    allowed: "peer",
    async answer(request, response, rest) {
      request.pipe(response.writeHead(200, { "x-rest": rest }));
      await once(response, "close");
    },
  };
  const broken: Route = {
    method: "GET",
    path: "/broken",
    allowed: "peer",
    answer: () => Promise.reject(new Error("the secret of the house")),
  };
  const administration = await openAdministration({
    snapshots,
    routes: [
      ...drainRoutes({ orders, log }),
      ...quotaRoutes({ lease: (...given) => leased.push(given) }),
      echo,
      broken,
    ],
    log,
    listenHost: "127.0.0.1",
    ports: new Map([["admin", 0]]),
    onAnswer: (caller, code) => answers.push(`${caller} ${code}`),
    ...change,
  });
  opened.push(administration);
  return {
    snapshots,
    orders,
    administration,
    answers,
    leased,
    get port(): number {
      assert.ok(administration.port);
      return administration.port;
    },
    mount: (next) => snapshots.set(withPeer(next)),
  };
}

const giving = { method: "POST", path: "/drain", body: '{"version":1,"peers":[]}' };
const put = { method: "PUT", path: "/echo/0m1", body: "octets" };

test("the operator gives the order and takes it back, as often as it likes", async () => {
  const desk = await deskOf(own);
  assert.equal((await askPort(desk.port, operator, { method: "DELETE", path: "/drain" })).status, 200);
  for (const _ of [1, 2]) {
    const answer = await askPort(desk.port, operator, giving);
    assert.deepEqual([answer.status, answer.text], [200, "the order to drain is in force\n"]);
    assert.deepEqual(desk.orders.current(), { version: 1, peers: [] });
  }
  const back = await askPort(desk.port, operator, { method: "DELETE", path: "/drain" });
  assert.deepEqual([back.status, back.text], [200, "the order to drain is taken back\n"]);
  assert.equal(desk.orders.current(), undefined);
  assert.deepEqual(desk.answers, ["operator 200", "operator 200", "operator 200", "operator 200"]);
});

test("an order that is none is 400 with the reason, and one that does not end is 413", async () => {
  const desk = await deskOf(own);
  const wrong = [
    { body: "{", says: /JSON/ },
    { body: '{"version":2,"peers":[]}', says: /version: / },
    { body: '{"version":1,"peers":[{"name":"a","host":"b","port":0}]}', says: /peers\.0\.port: / },
  ];
  for (const { body, says } of wrong) {
    const answer = await askPort(desk.port, operator, { ...giving, body });
    assert.equal(answer.status, 400);
    assert.match(answer.text, says);
  }
  assert.equal((await askPort(desk.port, operator, { ...giving, body: Buffer.alloc(1_100_000, 32) })).status, 413);
  assert.equal(desk.orders.current(), undefined);
});

const leasing = {
  method: "POST",
  path: "/quotas",
  body: '{"version":1,"forMs":60000,"shares":[{"key":"domain example.com","share":0.95}]}',
};

test("the operator leases shares of what may be sent, and no share is more than all", async () => {
  const desk = await deskOf(own);
  assert.equal((await askPort(desk.port, operator, leasing)).status, 200);
  assert.deepEqual(desk.leased, [[new Map([["domain example.com", 0.95]]), 60_000]]);
  const answer = await askPort(desk.port, operator, { ...leasing, body: leasing.body.replace("0.95", "1.5") });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /shares\.0\.share: /);
  assert.equal(desk.leased.length, 1);
});

const inbound = await authority.relay({ namespace: "mail", name: "inbound" });
const forbidden = [
  { name: "a pod of this relay gives an order", as: own, question: giving, says: own403, code: "peer 403" },
  {
    name: "a pod of this relay leases shares",
    as: own,
    question: leasing,
    says: own403,
    code: "peer 403",
  },
  {
    name: "the operator hands over mail",
    as: operator,
    question: put,
    says: "mailboat://operator",
    code: "operator 403",
  },
  {
    name: "another relay hands over mail",
    as: inbound,
    question: put,
    says: "mailboat://relay/mail/inbound",
    code: "stranger 403",
  },
  {
    name: "another relay gives an order",
    as: inbound,
    question: giving,
    says: "mailboat://relay/mail/inbound",
    code: "stranger 403",
  },
];
for (const { name, as, question, says, code } of forbidden) {
  test(`403 when ${name}, with who asked`, async () => {
    const desk = await deskOf(own);
    const answer = await askPort(desk.port, as, question);
    assert.equal(answer.status, 403);
    assert.ok(answer.text.startsWith(`${says} may not ${question.method} `), answer.text);
    assert.deepEqual(desk.answers, [code]);
    assert.equal(desk.orders.current(), undefined);
  });
}

test("a pod of this relay reaches its route with body and rest; paths and methods that are not there are said", async () => {
  const desk = await deskOf(own);
  const answer = await askPort(desk.port, second, put);
  assert.deepEqual([answer.status, answer.text, answer.headers["x-rest"]], [200, "octets", "0m1"]);
  const missing = await askPort(desk.port, second, { method: "GET", path: "/status?x" });
  assert.deepEqual(
    [missing.status, missing.text],
    [404, "/status is not there; there are /drain /quotas /echo/ /broken\n"],
  );
  const method = await askPort(desk.port, operator, { method: "PUT", path: "/drain" });
  assert.deepEqual([method.status, method.headers["allow"]], [405, "POST, DELETE"]);
});

test("a route that fails is a 500 without its reason, and the port goes on", async () => {
  const desk = await deskOf(own);
  const answer = await askPort(desk.port, own, { method: "GET", path: "/broken" });
  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /secret/);
  assert.equal((await askPort(desk.port, own, put)).status, 200);
});

const hourMs = 3_600_000;
const other = await InternalAuthority.make();
const identity = { uri: "mailboat://operator" };
const outside: readonly { readonly name: string; readonly as: Partial<PeerFiles> }[] = [
  { name: "no certificate", as: { authorities: own.authorities } },
  { name: "a certificate of another authority", as: { ...(await other.operator()), authorities: own.authorities } },
  {
    name: "an expired certificate",
    as: await authority.issue({ ...identity, notBefore: Date.now() - hourMs, notAfter: Date.now() - 1000 }),
  },
  { name: "a certificate of tomorrow", as: await authority.issue({ ...identity, notBefore: Date.now() + hourMs }) },
];
for (const { name, as } of outside) {
  test(`whoever has ${name} gets nowhere`, async () => {
    const desk = await deskOf(own);
    await assert.rejects(askPort(desk.port, as, giving), /ECONNRESET|socket hang up|alert|EPIPE/i);
    assert.equal(desk.orders.current(), undefined);
    assert.deepEqual(desk.answers, []);
  });
}

test("TLS 1.2 is not spoken", async () => {
  const desk = await deskOf(own);
  const { certificate: cert, privateKey: key, authorities: ca } = operator;
  const socket = connect({ port: desk.port, host: "127.0.0.1", cert, key, ca, maxVersion: "TLSv1.2" });
  await assert.rejects(once(socket, "secureConnect"), /protocol version/i);
});

async function serialNow(
  port: number,
  ca: string,
): Promise<{ identity: string | undefined; fingerprint: string | undefined }> {
  const { certificate: cert, privateKey: key } = operator;
  const socket = connect({ port, host: "127.0.0.1", cert, key, ca, checkServerIdentity: () => undefined });
  await once(socket, "secureConnect");
  const shown = socket.getPeerX509Certificate();
  socket.destroy();
  return {
    identity: identityOf(shown?.subjectAltName),
    fingerprint: shown?.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

test("a new certificate and authority serve new handshakes, and a connection that is open goes on", async () => {
  const desk = await deskOf(own);
  const agent = keepConnection();
  const sockets = new Set<TLSSocket>();
  agent.on("free", (socket: TLSSocket) => sockets.add(socket));
  assert.equal((await askPort(desk.port, second, { ...put, agent })).status, 200);
  const before = await serialNow(desk.port, authority.certificate);
  assert.deepEqual(before, { identity: own403, fingerprint: desk.snapshots.current().peer?.fingerprint });
  const renewed = await other.relay();
  desk.mount({ ...renewed, authorities: `${other.certificate}\n${authority.certificate}` });
  const after = await serialNow(desk.port, other.certificate);
  assert.deepEqual(after, { identity: own403, fingerprint: desk.snapshots.current().peer?.fingerprint });
  assert.notEqual(after.fingerprint, before.fingerprint);
  assert.equal((await askPort(desk.port, second, { ...put, agent })).status, 200);
  assert.equal(sockets.size, 1);
  // While both authorities are believed either operator is; later the old one's is not.
  const from = async (authorityOf: InternalAuthority): Promise<number> =>
    (await askPort(desk.port, { ...(await authorityOf.operator()), authorities: other.certificate }, giving)).status;
  assert.deepEqual([await from(authority), await from(other)], [200, 200]);
  desk.mount({ ...renewed, authorities: other.certificate });
  assert.equal(await from(other), 200);
  await assert.rejects(from(authority));
  agent.destroy();
});

test("without a certificate the port is closed, and opens when one is mounted", async () => {
  const desk = await deskOf(undefined);
  const portNow = (): number | undefined => desk.administration.port;
  assert.equal(portNow(), undefined);
  desk.mount(own);
  while (portNow() === undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await askPort(desk.port, operator, giving)).status, 200);
});

test("a port that is taken is an error at the start", async () => {
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  const { port } = blocker.address() as AddressInfo;
  await assert.rejects(deskOf(own, { ports: new Map([["admin", port]]) }), /EADDRINUSE/);
  blocker.close();
});

test("closing lets an answer under way end, refuses what comes on kept connections, and cuts at the deadline", async () => {
  const [arrived, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow: Route = {
    method: "GET",
    path: "/slow",
    allowed: "peer",
    async answer(_request, response) {
      arrived.resolve();
      await release.promise;
      response.end("done");
    },
  };
  const desk = await deskOf(own, { routes: [slow] });
  const { port } = desk;
  const agent = keepConnection();
  const answer = askPort(port, own, { method: "GET", path: "/slow", agent });
  await arrived.promise;
  const queued = askPort(port, own, { method: "GET", path: "/slow", agent });
  const lost = assert.rejects(queued);
  const closed = desk.administration.close(60_000);
  release.resolve();
  assert.equal((await answer).text, "done");
  await lost;
  await closed;

  const stuck = await deskOf(own, { routes: [{ ...slow, answer: () => new Promise<never>(() => undefined) }] });
  const cut = assert.rejects(askPort(stuck.port, own, { method: "GET", path: "/slow" }));
  const watcher = await askPort(stuck.port, own, { method: "GET", path: "/" });
  assert.equal(watcher.status, 404);
  await stuck.administration.close(100);
  await cut;
  agent.destroy();
});

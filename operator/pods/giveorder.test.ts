/** Orders against a server with certificates as relays have them: who is believed, on both sides, and what a failure says. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { TLSSocket } from "node:tls";
import { type DrainOrder, relayIdentity } from "../../api/administration.ts";
import { internalAuthority, issueLeaf, makeCertificateAuthority } from "../trust/issue.ts";
import type { InternalAuthority } from "../trust/internalauthority.ts";
import { openOrders } from "./giveorder.ts";

const relay = { namespace: "mail", name: "outbound" };
const order: DrainOrder = { version: 1, peers: [{ name: "outbound-0", host: "127.0.0.1", port: 9465 }] };
const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function authorityOf(): Promise<InternalAuthority> {
  const made = await makeCertificateAuthority(Date.now(), internalAuthority);
  return { ...made, bundle: made.certificate };
}

const ours = await authorityOf();

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly identity: string | undefined;
  readonly serial: string | undefined;
  readonly body: string;
}

interface PodSettings {
  readonly identity?: string;
  readonly signer?: InternalAuthority;
  readonly answer?: { readonly status: number; readonly text: string };
}

/** What is asked of it is kept; `port` is where it listens. */
async function startPod(settings: PodSettings = {}): Promise<{ readonly port: number; readonly asked: Asked[] }> {
  const { identity = relayIdentity(relay), signer = ours, answer = { status: 204, text: "" } } = settings;
  const leaf = await issueLeaf({ authority: signer, names: [], uris: [identity], isClient: true, now: Date.now() });
  const asked: Asked[] = [];
  const tls = { cert: leaf.certificate, key: leaf.privateKey, ca: ours.bundle, minVersion: "TLSv1.3" } as const;
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString("utf8")));
    request.on("end", () => {
      const certificate = request.socket instanceof TLSSocket ? request.socket.getPeerCertificate() : undefined;
      asked.push({
        method: request.method ?? "",
        path: request.url ?? "",
        identity: certificate?.subjectaltname,
        serial: certificate?.serialNumber,
        body,
      });
      response.writeHead(answer.status).end(answer.text);
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, asked };
}

const giveOrder = openOrders({ mayOrder: () => true, now: () => Date.now() });
const to = (port: number) => ({ address: { host: "127.0.0.1", port }, relay, authority: ours });

test("an order is posted and taken back by the operator's own certificate", async () => {
  const { port, asked } = await startPod();
  assert.equal(await giveOrder({ ...to(port), order }), undefined);
  assert.equal(await giveOrder({ ...to(port), order: undefined }), undefined);
  assert.deepEqual(
    asked.map(({ method, path, identity, body }) => [method, path, identity, body]),
    [
      ["POST", "/drain", "URI:mailboat://operator", JSON.stringify(order)],
      ["DELETE", "/drain", "URI:mailboat://operator", ""],
    ],
  );
  assert.equal(asked[0]?.serial, asked[1]?.serial);
});

test("shares are posted to a place of their own", async () => {
  const { port, asked } = await startPod();
  const leases = { version: 1, forMs: 60_000, shares: [{ key: "domain example.com", share: 0.95 }] } as const;
  assert.equal(
    await giveOrder({ ...to(port), order: undefined, leases: { ...leases, shares: [...leases.shares] } }),
    undefined,
  );
  assert.deepEqual(
    asked.map(({ method, path, body }) => [method, path, body]),
    [["POST", "/quotas", JSON.stringify(leases)]],
  );
});

test("the operator's certificate is another one with another authority, and when its life is near its end", async () => {
  // The server looks at a real clock: none of them may be of the future.
  let now = Date.now() - 17 * 3_600_000;
  const give = openOrders({ mayOrder: () => true, now: () => now });
  const { port, asked } = await startPod();
  assert.equal(await give({ ...to(port), order }), undefined);
  now += 15 * 3_600_000;
  assert.equal(await give({ ...to(port), order }), undefined);
  now += 2 * 3_600_000;
  assert.equal(await give({ ...to(port), order }), undefined);
  const [first, second, third] = asked.map(({ serial }) => serial);
  assert.equal(second, first);
  assert.notEqual(third, first);
  const theirs = await authorityOf();
  assert.notEqual(await give({ ...to(port), order, authority: { ...theirs, bundle: ours.bundle } }), undefined);
  assert.equal(asked.length, 3);
});

test("what a pod answers is told when it does not take the order", async () => {
  const { port } = await startPod({ answer: { status: 403, text: "only the operator gives orders\n" } });
  assert.equal(await giveOrder({ ...to(port), order }), "it answers 403: only the operator gives orders");
});

const strangers: readonly (readonly [string, PodSettings, RegExp])[] = [
  [
    "pod of another relay",
    { identity: "mailboat://relay/mail/other" },
    /URI:mailboat:\/\/relay\/mail\/other answers, not mailboat:\/\/relay\/mail\/outbound/,
  ],
  ["program of another authority", { signer: await authorityOf() }, /self-signed certificate|unable to verify/],
];
for (const [name, settings, expected] of strangers) {
  test(`a ${name} hears nothing`, async () => {
    const { port, asked } = await startPod(settings);
    assert.match((await giveOrder({ ...to(port), order })) ?? "", expected);
    assert.deepEqual(asked, []);
  });
}

test("a pod that is away is a failure in words", async () => {
  const { port } = await startPod();
  const server = servers.at(-1);
  server?.close();
  assert.match((await giveOrder({ ...to(port), order })) ?? "", /ECONNREFUSED/);
});

test("an operator that leads no longer gives no order", async () => {
  const { port, asked } = await startPod();
  const give = openOrders({ mayOrder: () => false, now: () => Date.now() });
  assert.equal(await give({ ...to(port), order: undefined }), "this operator leads no longer");
  assert.deepEqual(asked, []);
});

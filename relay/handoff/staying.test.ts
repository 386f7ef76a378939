/** What delivery.mode of the pod that gives keeps from leaving stays at the pod that takes, whatever configuration that has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { InternalAuthority } from "../../test/support/peers.ts";
import { newMessage, relayDocumentOf, snapshotOf } from "../../test/support/relayvalues.ts";
import type { Route } from "../administration/route.ts";
import { openAdministration } from "../administration/server.ts";
import type { SnapshotSource } from "../config/snapshot.ts";
import { HandoffClient } from "./client.ts";
import { ByteSource, handoffPath, readHead } from "./wire.ts";

test("the peer is told of each recipient whom the giver's newest configuration keeps, and of those who stayed before", async (t) => {
  const files = await (await InternalAuthority.make()).relay();
  const notAfter = Date.now() + 86_400_000;
  const { certificate: chain, privateKey, authorities } = files;
  const peer = { chain, privateKey, authorities, fingerprint: "f", notAfter, names: [] };
  let delivery: Parameters<typeof relayDocumentOf>[0] = {};
  const snapshots: SnapshotSource = {
    current: () => ({ ...snapshotOf(relayDocumentOf(delivery)), peer }),
    lastError: undefined,
    onChange: () => undefined,
  };
  const told: (readonly string[])[] = [];
  const route: Route = {
    method: "PUT",
    path: handoffPath,
    allowed: "peer",
    async answer(request, response) {
      const source = new ByteSource(request.iterator({ destroyOnReturn: false }));
      const { recipients } = await readHead(source);
      told.push(recipients.flatMap(({ address, stays }) => (stays === true ? address : [])));
      request.resume();
      response.writeHead(201).end();
    },
  };
  const port = await openAdministration({
    snapshots,
    routes: [route],
    log: pino({ level: "silent" }),
    listenHost: "127.0.0.1",
    ports: new Map([["admin", 0]]),
    onAnswer: () => undefined,
  });
  t.after(() => port.close(0));
  const client = new HandoffClient({ snapshots, spoolId: "s", name: "outbound-1", readBody: () => assert.fail() });
  t.after(() => client.close());
  const { message, recipients } = newMessage({}, [
    { address: "qa@example.net" },
    { address: "customer@example.net" },
    { address: "earlier@example.net", stays: true },
  ]);
  const whole = { message, recipients: recipients.map((recipient) => ({ ...recipient, dueAt: 0 })) };
  const asPeer = { name: "outbound-0", host: "127.0.0.1", port: port.port ?? 0 };
  for (const mode of ["Send", "AllowList", "Capture"] as const) {
    delivery = { mode, allowRecipients: mode === "AllowList" ? ["qa@example.net"] : [] };
    const given = await client.give({ whole, offer: mode, offeredAt: 0, peer: asPeer, context: undefined });
    assert.equal(given.kind, "taken");
  }
  const [earlier, customer, qa] = ["earlier@example.net", "customer@example.net", "qa@example.net"];
  assert.deepEqual(told, [[earlier], [customer, earlier], [qa, customer, earlier]]);
});

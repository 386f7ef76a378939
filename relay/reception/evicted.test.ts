/** What is kept of sockets whose place was given to others: nothing. */
import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { makeCertificate, openBed } from "../../test/support/submission.ts";
import { until } from "../../test/support/until.ts";

test("who loses the place while it waits for its handshake never gets one, which would be kept for minutes", async (t) => {
  let handshakes = 0;
  const hook = createHook({ init: (_id, type) => void (type === "TLSWRAP" && (handshakes += 1)) }).enable();
  t.after(() => hook.disable());
  const bed = await openBed(
    {
      listeners: [{ name: "submissions", tlsMode: "Implicit", authentication: "Required" }],
      // Nine of these are for strangers.
      limits: { connections: 12, connectionsPerClient: 12 },
      certificate: await makeCertificate(),
    },
    // Time stands still: who is loud stays so. The pause is longer than it takes to lose a place.
    { patience: { pauseMs: 1000 }, clock: { now: () => 0 } },
  );
  t.after(() => bed.close());
  const open = async (localAddress: string): Promise<Socket> => {
    const port = bed.submission.addresses.get("submissions") ?? 0;
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    socket.on("error", () => undefined).resume();
    t.after(() => socket.destroy());
    await once(socket, "connect");
    return socket;
  };
  // Who comes and goes is loud.
  for (let count = 0; count < 60; count += 1) (await open("127.0.0.8")).destroy();
  await until("all to be gone, also who left while it waited", () => bed.connections() === 0 || undefined, 15_000);
  const before = handshakes;
  for (let count = 0; count < 8; count += 1) await open("127.0.0.8");
  const last = bed.connect("submissions", { from: "127.0.0.8" });
  await until("nine places", () => bed.connections() === 9 || undefined);
  // A newcomer gets the oldest place of the client that holds most.
  for (let count = 0; count < 3; count += 1) await open("127.0.0.9");
  assert.match(await (await last).reply(), /^220 /);
  const [waited, newcomers, ownEnd] = [6, 3, 1];
  assert.equal(handshakes - before, waited + newcomers + ownEnd);
});

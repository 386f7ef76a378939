/** Long headers of all connections together are bounded, and usual ones are not in their way. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import { openBed } from "../../../test/support/submission.ts";
import { systemChance, systemClock, octetsOf } from "../../../runtime/clock.ts";
import { until } from "../../../test/support/until.ts";
import { spoolIdOf } from "../../spool/message/id.ts";
import { pass } from "../checks/verdict.ts";
import { acceptMessage } from "./accept.ts";
import { HeaderRoom } from "./headerroom.ts";
import type { IncomingOptions } from "./incoming.ts";

test("what is beyond a usual header is counted for all together, until it is left", () => {
  const room = new HeaderRoom({ usual: 10, beyond: 100 });
  const [one, other, small] = [room.enter(), room.enter(), room.enter()];
  assert.equal(one.grow(70), true);
  assert.equal(other.grow(50), true);
  assert.equal(other.grow(51), false);
  assert.equal(small.grow(10), true);
  assert.equal(small.grow(11), false);
  small.leave();
  one.leave();
  one.leave();
  assert.equal(other.grow(110), true);
  assert.equal(other.grow(111), false);
});

/** Messages that come in by a stream each, over one room for their headers. */
async function receptions(t: TestContext, headerRoom: HeaderRoom) {
  const bed = await openBed({ listeners: [] });
  t.after(() => bed.close());
  const newId = () => spoolIdOf(systemClock.now(), octetsOf(systemChance, 6));
  return () => {
    const stream = new PassThrough();
    t.after(() => stream.destroy());
    const options: IncomingOptions = {
      id: newId(),
      anotherId: newId,
      mail: { kind: "mail", sender: undefined, sizeBytes: undefined, body: "7BIT", smtpUtf8: false },
      recipients: [{ address: "b@example.net" }],
      sizeLimitBytes: 1_000_000,
      headerRoom,
      received: {
        helo: "client.example",
        clientAddress: "127.0.0.1",
        by: "relay.example.com",
        extended: true,
        secure: false,
        authenticated: false,
        smtpUtf8: false,
      },
      admit: () => ({
        kind: "admitted",
        admission: { kind: "admission", domain: "example.com", mustSign: false },
        verdict: pass,
        tap: () => undefined,
      }),
      stopped: (verdict) => verdict.refusal,
      staying: () => ({}),
      now: () => systemClock.now(),
    };
    return { stream, result: acceptMessage(stream, bed.spool, options) };
  };
}

const from = "From: a@example.com\r\n";
const longHeader = `${from}${`X-Long: ${"y".repeat(900)}\r\n`.repeat(10)}`;

test("a header for which there is no room is put off; usual ones, and later long ones, are taken", async (t) => {
  const receive = await receptions(t, new HeaderRoom({ usual: 1_000, beyond: 12_000 }));
  const slow = receive();
  slow.stream.write(longHeader);
  await until("the header to be read", () => slow.stream.readableLength === 0);
  const second = receive();
  second.stream.end(`${longHeader}\r\nx\r\n`);
  const refused = await second.result;
  assert.deepEqual(refused && "code" in refused && [refused.code, refused.enhanced], [451, "4.3.2"]);
  const usual = receive();
  usual.stream.end(`${from}\r\nx\r\n`);
  assert.equal((await usual.result)?.kind, "accepted");
  slow.stream.end("\r\nx\r\n");
  assert.equal((await slow.result)?.kind, "accepted");
  for (const ending of ["kept", "gone", "refused"]) {
    const { stream, result } = receive();
    stream.write(longHeader);
    if (ending === "gone") stream.destroy();
    else stream.end(ending === "refused" ? "no field\r\n\r\nx\r\n" : "\r\nx\r\n");
    const kind = (await result)?.kind;
    assert.equal(kind, { kept: "accepted", gone: undefined, refused: "refusal" }[ending]);
  }
  const last = receive();
  last.stream.end(`${longHeader}\r\nx\r\n`);
  assert.equal((await last.result)?.kind, "accepted");
});

/** Mail that delivery.mode keeps from leaving: what next hops see of it, which is nothing, and when that holds. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import type { RelayDocument } from "../../api/relayconfig.ts";
import { deliveryBench, hopFor, messagesOf, type DeliveryBench } from "../../test/support/deliverybench.ts";
import { MemorySpool } from "../../test/support/memoryspool.ts";
import {
  domainSettingsOf,
  newMessage,
  relayDocumentOf,
  smarthostAt,
  snapshotOf,
} from "../../test/support/relayvalues.ts";
import type { Script, ScriptedHop } from "../../test/support/scriptedhop.ts";
import type { Window } from "./job/schedule.ts";

type Delivery = Partial<RelayDocument["delivery"]>;

interface Staging extends DeliveryBench {
  readonly hop: ScriptedHop;
  /** As a configuration that has just been loaded. */
  readonly change: (delivery: Delivery) => void;
  /** `kind index` of every outcome so far. */
  readonly outcomes: () => readonly string[];
}

const allowed: Delivery = { mode: "AllowList", allowRecipients: ["qa@example.net", "*@test.example"] };
const capture: Delivery = { mode: "Capture" };

interface Settings {
  readonly script?: Script;
  readonly spool?: MemorySpool;
  readonly window?: Window;
}

async function stagingFor(
  t: TestContext,
  delivery: Delivery,
  { script = {}, spool = new MemorySpool(), ...settings }: Settings = {},
): Promise<Staging> {
  const hop = await hopFor(t, script);
  const smarthosts = [smarthostAt(hop.port)];
  const bench = deliveryBench(t, { spool, ...settings, delivery: { smarthosts, ...delivery } });
  const domains = [domainSettingsOf("example.com")];
  return {
    ...bench,
    hop,
    change: (changed) => bench.configure(snapshotOf(relayDocumentOf({ smarthosts, ...changed }), domains)),
    outcomes: () =>
      spool.written.flatMap(({ outcomes }) => outcomes.map(({ kind, index }) => `${kind} ${index}`)).toSorted(),
  };
}

function to(...addresses: readonly string[]): { readonly address: string }[] {
  return addresses.map((address) => ({ address }));
}

test("captured mail is signed, told of in words of its own, and no next hop is even dialed", async (t) => {
  const { hop, spool, lines, delivery } = await stagingFor(t, capture);
  await spool.commit(newMessage({}, [{ address: "customer@example.net", notify: ["SUCCESS", "FAILURE", "DELAY"] }]));
  await spool.settled(1);
  await delivery.close(10_000);
  assert.equal(hop.sessions.length, 0);
  const [outcome] = spool.written[0]?.outcomes ?? [];
  assert.ok(outcome?.kind === "captured");
  assert.match(outcome.signatures, /^DKIM-Signature: v=1; a=ed25519-sha256; .* d=example\.com;[^]*\r\n$/);
  assert.deepEqual(spool.written[0]?.notices, [], "whoever asked for a notice of success gets none");
  assert.equal(spool.queuedMessages, 0);
  assert.deepEqual(messagesOf(lines), ["captured"]);
  const { recipientDomain, attempt, code, reply, nextHop } = lines[0] ?? {};
  assert.deepEqual(
    { recipientDomain, attempt, code, reply, nextHop },
    {
      recipientDomain: "example.net",
      attempt: 1,
      code: 250,
      reply: "captured, not sent: delivery.mode Capture, nothing leaves this relay",
      nextHop: undefined,
    },
  );
});

test("a message for people on the list and others is split by recipient", async (t) => {
  const { hop, spool, outcomes } = await stagingFor(t, allowed);
  await spool.commit(newMessage({}, to("customer@example.net", "qa@example.net", "a@test.example", "b@example.org")));
  await spool.settled(2);
  assert.deepEqual(outcomes(), ["captured 0", "captured 3", "delivered 1", "delivered 2"]);
  assert.deepEqual(
    hop.messages.map(({ recipients }) => recipients.length),
    [2],
  );
  assert.doesNotMatch(hop.sessions.flatMap(({ lines }) => lines).join("\n"), /customer|example\.org/);
});

test("what waits for a retry when the mode changes is captured at it, however long it has waited", async (t) => {
  const { hop, spool, change, outcomes } = await stagingFor(
    t,
    {},
    {
      script: {
        answer(line) {
          if (!line.startsWith("MAIL")) return undefined;
          change({ ...capture, retry: { firstMs: 5, maxMs: 5, expireAfterMs: 1, notifyDelayAfterMs: 1 } });
          return "451 4.3.0 later";
        },
      },
    },
  );
  await spool.commit(newMessage());
  await spool.settled(2);
  assert.deepEqual(outcomes(), ["captured 0", "deferred 0"]);
  assert.equal(hop.messages.length, 0);
});

test("a next hop that waits for the message when the mode changes never has it", async (t) => {
  const { hop, spool, change, outcomes } = await stagingFor(
    t,
    {},
    {
      script: {
        answer(line) {
          if (line === "DATA") change(capture);
          return undefined;
        },
      },
    },
  );
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.deepEqual(outcomes(), ["captured 0"]);
  assert.equal(hop.messages.length, 0);
});

test("a large message that is on its way when the mode changes never becomes whole", async (t) => {
  class Changing extends MemorySpool {
    onHalf = (): void => undefined;
    override readBody(): NodeJS.ReadableStream {
      const { onHalf } = this;
      return Readable.from(
        (async function* halves() {
          yield Buffer.from("first half\r\n");
          onHalf();
          yield Buffer.from("second half\r\n");
        })(),
      );
    }
  }
  const spool = new Changing();
  const { hop, change, outcomes } = await stagingFor(t, {}, { spool });
  spool.onHalf = () => change(capture);
  await spool.commit(newMessage({ body: { kind: "file", sizeBytes: 25 } }));
  await spool.settled(1);
  assert.deepEqual(outcomes(), ["captured 0"]);
  assert.equal(hop.messages.length, 0);
});

test("of recipients that were on their way together those on the list go again, and only those", async (t) => {
  let asked = 0;
  const { hop, spool, change, outcomes } = await stagingFor(
    t,
    {},
    {
      script: {
        answer(line) {
          if (line === "DATA" && (asked += 1) === 1) change(allowed);
          return undefined;
        },
      },
    },
  );
  await spool.commit(newMessage({}, to("qa@example.net", "customer@example.net")));
  await spool.settled(2);
  assert.deepEqual(outcomes(), ["captured 1", "deferred 0", "delivered 0"]);
  assert.deepEqual(
    hop.messages.map(({ recipients }) => recipients.length),
    [1],
  );
});

test("of recipients that wait together for their turn when the list comes only those on it go", async (t) => {
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { hop, spool, change, outcomes } = await stagingFor(
    t,
    {},
    {
      script: {
        async answer(line) {
          if (!line.startsWith("RCPT TO:<first@")) return undefined;
          reached.resolve();
          await released.promise;
          return "550 5.1.1 gone";
        },
      },
      window: { messages: 20, recipients: 1_000, bytes: 1 << 20, inFlight: 1, inFlightPerRoute: 1 },
    },
  );
  await spool.commit(newMessage({ sender: "" }, to("first@example.net")));
  await reached.promise;
  await spool.commit(newMessage({}, to("qa@example.net", "customer@example.net")));
  change(allowed);
  released.resolve();
  await spool.settled(2);
  assert.ok(outcomes().includes("captured 1"), outcomes().join());
  assert.ok(outcomes().includes("delivered 0"), outcomes().join());
  assert.doesNotMatch(hop.sessions.flatMap(({ lines }) => lines).join("\n"), /customer/);
});

test("a notice of a failure obeys the list like any mail", async (t) => {
  const { hop, spool, lines, delivery } = await stagingFor(t, allowed, {
    script: { answer: (line) => (line.startsWith("RCPT") ? "550 5.1.1 no such user" : undefined) },
  });
  await spool.commit(newMessage({}, to("qa@example.net")));
  await spool.settled(2);
  await delivery.close(10_000);
  assert.equal(hop.messages.length, 0);
  assert.deepEqual(messagesOf(lines), ["failed", "bounced", "accepted", "captured"]);
});

test("what was taken while the mode kept it is captured in mode Send, too, and the others of its message are sent", async (t) => {
  const { hop, spool, lines, delivery, outcomes } = await stagingFor(t, {});
  await spool.commit(newMessage({}, [{ address: "customer@example.net", stays: true }, { address: "qa@example.net" }]));
  await spool.settled(2);
  await delivery.close(10_000);
  assert.deepEqual(outcomes(), ["captured 0", "delivered 1"]);
  assert.doesNotMatch(hop.sessions.flatMap((session) => session.lines).join("\n"), /customer/);
  const told = lines.find(({ msg }) => msg === "captured");
  assert.equal(told?.["reply"], "captured, not sent: delivery.mode kept it from leaving when it was taken");
});

test("smarthosts of the sender's domain and fallbackSmarthosts are no way out of mode Capture", async (t) => {
  const [own, fallback] = [await hopFor(t, {}), await hopFor(t, {})];
  const domain = domainSettingsOf("example.com", { smarthosts: [smarthostAt(own.port)] });
  for (const domains of [[domain], [domainSettingsOf("example.com")]]) {
    const fallbackSmarthosts = [smarthostAt(fallback.port)];
    const spool = new MemorySpool();
    const retry = { firstMs: 1, maxMs: 1, expireAfterMs: 60_000, notifyDelayAfterMs: 60_000 };
    deliveryBench(t, { spool, delivery: { ...capture, fallbackSmarthosts, retry }, domains });
    await spool.commit(newMessage({}, [{ address: "customer@example.net", attempts: 7 }]));
    await spool.settled(1);
    assert.equal(spool.written[0]?.outcomes[0]?.kind, "captured");
  }
  assert.deepEqual([own.sessions.length, fallback.sessions.length], [0, 0]);
});

test("a notice that was written in mode Capture is captured in mode Send", async (t) => {
  const { hop, spool, change, outcomes } = await stagingFor(
    t,
    {},
    {
      script: {
        answer(line) {
          if (!line.startsWith("RCPT")) return undefined;
          change(capture);
          return "550 5.1.1 no such user";
        },
      },
    },
  );
  const settle = spool.settle.bind(spool);
  spool.settle = async (wanted) => {
    const entries = await settle(wanted);
    change({});
    return entries;
  };
  await spool.commit(newMessage({}, to("gone@example.net")));
  await spool.settled(2);
  assert.deepEqual(outcomes(), ["captured 0", "failed 0"]);
  assert.equal(hop.messages.length, 0);
});

test("what cannot be signed waits and is not captured", async (t) => {
  const spool = new MemorySpool();
  const bench = deliveryBench(t, { spool, delivery: capture, domains: [domainSettingsOf("example.com", {}, [])] });
  await spool.commit(newMessage());
  await spool.settled(1);
  const [outcome] = spool.written[0]?.outcomes ?? [];
  assert.equal(outcome?.kind, "deferred");
  assert.match(outcome.reply.text, /no usable DKIM key/);
  bench.configure(snapshotOf(relayDocumentOf(capture), [domainSettingsOf("example.com")]));
  await spool.settled(2);
  assert.equal(spool.written[1]?.outcomes[0]?.kind, "captured");
});

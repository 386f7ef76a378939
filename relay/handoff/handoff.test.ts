/** Giver and taker with real spools, over the real administration port; delivery is a record of what it was told. */
import assert from "node:assert/strict";
import { mkdtemp, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test, type TestContext } from "node:test";
import { pino } from "pino";
import type { Peer } from "../../api/administration.ts";
import { systemChance, systemClock } from "../../runtime/clock.ts";
import { InternalAuthority, askPort, type PeerFiles } from "../../test/support/peers.ts";
import { until } from "../../test/support/until.ts";
import { Gate } from "../administration/gate.ts";
import { DrainState } from "../administration/orders.ts";
import type { Route } from "../administration/route.ts";
import { openAdministration } from "../administration/server.ts";
import {
  noHandoffTracer,
  newMessage,
  relayDocumentOf,
  silentMetrics,
  snapshotOf,
} from "../../test/support/relayvalues.ts";
import { createJournal, type Journal } from "../observe/journal.ts";
import { inlineLimitBytes } from "../spool/local/bodies.ts";
import { openStore, type Store } from "../spool/local/store.ts";
import type { WholeMessage } from "../spool/message/message.ts";
import type { SpoolId } from "../spool/message/id.ts";
import { openGiver, type Giver } from "./giver.ts";
import { openTaker } from "./taker.ts";
import { encodeHead, headerName } from "./wire.ts";

const start = Date.now();
/** In an offer. */
const atStart = { now: start, except: [] };
let files: PeerFiles;
const directories: string[] = [];

before(async () => {
  files = await (await InternalAuthority.make()).relay();
});
after(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

interface Pod {
  readonly name: string;
  readonly directory: string;
  readonly spool: Store;
  readonly orders: DrainState;
  readonly gate: Gate;
  readonly giver: Giver;
  readonly lines: Record<string, unknown>[];
  /** What delivery was told, in order. */
  readonly told: string[];
  /** When mail is due that delivery was told of. */
  readonly due: number[];
  readonly asPeer: Peer;
  /** Bytes that its spool may use. */
  capacityBytes: number;
  /** Also at the end of the test. */
  end(): Promise<void>;
}

interface PodWish {
  readonly name: string;
  /** Stands between the port and the taker. */
  readonly between?: (route: Route) => Route;
  readonly directory?: string;
  readonly journal?: Journal;
}

async function openPod(t: TestContext, wish: PodWish): Promise<Pod> {
  const { name, between = (route) => route, directory } = wish;
  const place = directory ?? (await mkdtemp(join(tmpdir(), "handoff-")));
  directories.push(place);
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: "info" },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const pod: { capacityBytes: number } = { capacityBytes: 1e9 };
  const spool = await openStore({
    directory: place,
    clock: systemClock,
    log,
    capacity: () => ({ capacityBytes: pod.capacityBytes, highWatermarkPercent: 85 }),
    retryDelayMs: () => 60_000,
    ownerTimeoutMs: 0,
    onCommit: () => undefined,
    onLost: (error) => assert.fail(error),
  });
  const peer = {
    chain: files.certificate,
    privateKey: files.privateKey,
    authorities: files.authorities,
    fingerprint: "f",
    notAfter: start + 86_400_000,
    names: [],
  };
  const snapshot = { ...snapshotOf(relayDocumentOf()), peer };
  const snapshots = { current: () => snapshot, lastError: undefined, onChange: () => undefined };
  const orders = new DrainState();
  const gate = new Gate({ orders, stopping: new AbortController().signal });
  const journal = wish.journal ?? createJournal({ log, clock: systemClock });
  const [told, due]: [string[], number[]] = [[], []];
  const delivery = {
    standDown: async () => void told.push("stand down"),
    resume: () => void told.push("resume"),
    arrived: (dueAt: number) => void due.push(dueAt),
  };
  const shared = { spool, delivery, gate, journal, log, clock: systemClock, metrics: silentMetrics };
  const taker = openTaker({ ...shared, tracer: noHandoffTracer });
  const port = await openAdministration({
    snapshots,
    routes: taker.routes.map(between),
    log,
    listenHost: "127.0.0.1",
    ports: new Map([["admin", 0]]),
    onAnswer: () => undefined,
  });
  const giver = await openGiver({
    ...shared,
    orders,
    tracer: noHandoffTracer,
    snapshots,
    chance: systemChance,
    name,
  });
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await giver.close(0);
    taker.close();
    await port.close(0);
    await spool.close();
  };
  const end = async (): Promise<void> => (closed ??= close());
  t.after(end);
  assert.ok(port.port !== undefined);
  const asPeer = { name, host: "127.0.0.1", port: port.port };
  return Object.assign(pod, { name, directory: place, spool, orders, gate, giver, lines, told, due, asPeer, end });
}

/** Some that were tried, some not yet due; the recipient that was delivered already is gone. */
async function fill(pod: Pod, count: number): Promise<ReadonlyMap<SpoolId, WholeMessage>> {
  const kept = new Map<SpoolId, WholeMessage>();
  const receive = async (number: number): Promise<void> => {
    const tried = number % 3 === 0;
    const { message } = newMessage({ acceptedAt: start - 1_000 });
    const recipients = [
      {
        index: 2,
        address: `rcpt${number}@example.net`,
        attempts: tried ? 3 : 0,
        ...(tried ? { lastReply: { code: 451, enhanced: "4.2.0", text: "busy" }, delayNotified: true as const } : {}),
        dueAt: start + number * 1_000,
      },
    ];
    const whole = { message, recipients };
    kept.set(message.id, whole);
    await pod.spool.handoff.receive({ ...whole, offer: "filling", now: start });
  };
  await Promise.all(Array.from({ length: count }, async (_, number) => receive(number)));
  return kept;
}

async function queued(pod: Pod): Promise<number> {
  return (await pod.spool.depth(start)).queuedMessages;
}

/** What is in the spool, as it would be handed on. */
async function contentsOf(pod: Pod): Promise<ReadonlyMap<SpoolId, WholeMessage>> {
  const all = await pod.spool.handoff.offer({ ...atStart, limit: 10_000, peer: pod.asPeer, offer: "reading" });
  for (const { message } of all) await pod.spool.handoff.takeBack(message.id);
  return new Map(all.map((whole) => [whole.message.id, whole]));
}

function byId(all: Iterable<readonly [SpoolId, WholeMessage]>): Readonly<Record<string, WholeMessage>> {
  return Object.fromEntries(all);
}

function inOrder(one: number, other: number): number {
  return one - other;
}

function order(pod: Pod, peers: readonly Pod[]): void {
  pod.orders.give({ version: 1, peers: peers.map(({ asPeer }) => asPeer) });
}

test("all mail goes to the peers as it was, each has its part, and both ends have a line for each message", async (t) => {
  const [leaving, one, other] = [
    await openPod(t, { name: "outbound-2" }),
    await openPod(t, { name: "outbound-0" }),
    await openPod(t, { name: "outbound-1" }),
  ];
  const kept = await fill(leaving, 100);
  order(leaving, [one, other]);
  await until("an empty spool", async () => (await queued(leaving)) === 0);
  const [first, second] = [await contentsOf(one), await contentsOf(other)];
  assert.deepEqual(byId([...first, ...second]), byId(kept));
  assert.ok(first.size >= 20 && second.size >= 20, `${first.size} and ${second.size}`);
  assert.equal(leaving.told[0], "stand down");
  const dueAt = [...kept.values()].map((whole) => Math.min(...whole.recipients.map((recipient) => recipient.dueAt)));
  const told = [...one.due, ...other.due];
  assert.deepEqual(told.toSorted(inOrder), dueAt.toSorted(inOrder), "delivery was told of what came");
  assert.deepEqual(leaving.giver.progress(), { handedOver: 100, failure: undefined });
  const given = leaving.lines.filter(({ msg }) => msg === "handed over");
  const taken = [...one.lines, ...other.lines].filter(({ msg }) => msg === "taken over");
  assert.deepEqual([new Set(given.map(idOf)).size, new Set(taken.map(idOf)).size], [100, 100]);
  const { spoolId, domain, peer, recipients } = taken[0] ?? {};
  assert.ok(typeof spoolId === "string");
  assert.deepEqual([domain, peer, recipients], ["example.com", "outbound-2", 1]);
  assert.deepEqual(await leaving.spool.handoff.openOffers(), []);
});

test("a large body goes from file to file", async (t) => {
  const [leaving, staying] = [await openPod(t, { name: "outbound-1" }), await openPod(t, { name: "outbound-0" })];
  const { message } = newMessage();
  const writer = leaving.spool.begin(message.id);
  const part = Buffer.alloc(inlineLimitBytes, "0123456789abcdef");
  for (let count = 0; count < 20; count += 1) await writer.write(part);
  const body = await writer.finish();
  await leaving.spool.commit({
    message: { ...message, body },
    recipients: [{ index: 0, address: "a@example.net", attempts: 0 }],
    dueAt: start,
  });
  order(leaving, [staying]);
  await until("an empty spool", async () => (await queued(leaving)) === 0);
  const [whole] = (await contentsOf(staying)).values();
  assert.deepEqual(whole?.message, { ...message, body });
  const chunks: Buffer[] = [];
  for await (const chunk of staying.spool.readBody(message.id)) chunks.push(Buffer.from(chunk));
  assert.ok(Buffer.concat(chunks).equals(Buffer.concat(Array.from({ length: 20 }, () => part))));
});

test("while no peer takes mail the pod delivers, and it goes on giving when one does", async (t) => {
  const [leaving, full] = [await openPod(t, { name: "outbound-1" }), await openPod(t, { name: "outbound-0" })];
  await fill(leaving, 20);
  full.capacityBytes = 1;
  order(leaving, [full]);
  await until("delivery to go on", () => leaving.told.includes("resume"));
  assert.match(leaving.giver.progress()?.failure ?? "", /^outbound-0: 507 the spool is full/);
  assert.equal(await queued(leaving), 20);
  await until("no open offers", async () => (await leaving.spool.handoff.openOffers()).length === 0);
  const refusals = leaving.lines.filter(({ msg }) => msg === "a peer takes no mail");
  assert.equal(refusals.length, 1);
  full.capacityBytes = 1e9;
  await until("an empty spool", async () => (await queued(leaving)) === 0);
  assert.deepEqual(leaving.told, ["stand down", "resume", "stand down"]);
  assert.deepEqual(leaving.giver.progress(), { handedOver: 20, failure: undefined });
});

test("a peer that leaves itself, or that is not there, is passed by", async (t) => {
  const [leaving, closed, staying] = [
    await openPod(t, { name: "outbound-2" }),
    await openPod(t, { name: "outbound-1" }),
    await openPod(t, { name: "outbound-0" }),
  ];
  await fill(leaving, 60);
  closed.orders.give({ version: 1, peers: [] });
  const absent = { name: "outbound-9", host: "127.0.0.1", port: 1 };
  leaving.orders.give({ version: 1, peers: [closed.asPeer, absent, staying.asPeer] });
  await until("an empty spool", async () => (await queued(leaving)) === 0);
  assert.equal(await queued(staying), 60);
  assert.equal(await queued(closed), 0);
});

test("a message that a peer cannot take stays and is left to delivery; the others go", async (t) => {
  const refused = Promise.withResolvers<string>();
  const staying = await openPod(t, {
    name: "outbound-0",
    between: (route) => ({
      ...route,
      answer: async (request, response, rest) => {
        if (request.method === "PUT") refused.resolve(rest);
        if (rest !== (await refused.promise)) return route.answer(request, response, rest);
        request.resume();
        response.writeHead(400).end("the head is not understood\n");
      },
    }),
  });
  const leaving = await openPod(t, { name: "outbound-1" });
  await fill(leaving, 30);
  order(leaving, [staying]);
  await until("one message left, and delivery to go on", async () => {
    return (await queued(leaving)) === 1 && leaving.told.at(-1) === "resume";
  });
  const [left] = (await contentsOf(leaving)).keys();
  assert.equal(left, await refused.promise);
  // Delivery keeps what is its own, and stands down when there is something to give again.
  await fill(leaving, 1);
  await until("all but the one", async () => (await queued(staying)) === 30 && leaving.told.length === 4);
  assert.deepEqual(leaving.told, ["stand down", "resume", "stand down", "resume"]);
  assert.ok(leaving.due.length > 0, "delivery was not told of what came back");
});

test("a peer that understands no message at all is one that takes no mail, and the pod delivers", async (t) => {
  const staying = await openPod(t, {
    name: "outbound-0",
    between: (route) => ({
      ...route,
      answer: async (request, response) => {
        request.resume();
        response.writeHead(400).end("the head is not understood: version\n");
      },
    }),
  });
  const leaving = await openPod(t, { name: "outbound-1" });
  await fill(leaving, 250);
  order(leaving, [staying]);
  await until("delivery to go on", () => leaving.told.at(-1) === "resume");
  await until("no open offers", async () => (await leaving.spool.handoff.openOffers()).length === 0);
  assert.equal(await queued(leaving), 250);
  assert.equal(leaving.lines.filter(({ msg }) => msg === "a peer takes no mail").length, 1);
  assert.match(leaving.giver.progress()?.failure ?? "", /outbound-0: 400 the head is not understood/);
});

test("when the answer is lost the peer is asked, and a message is neither lost nor taken twice", async (t) => {
  let cuts = 0;
  const staying = await openPod(t, {
    name: "outbound-0",
    between: (route) => ({
      ...route,
      answer: async (request, response, rest) => {
        // Every second one is cut after the message is safe, every fourth before it was read.
        cuts += request.method === "PUT" ? 1 : 0;
        if (request.method !== "PUT" || cuts % 2 === 1) return route.answer(request, response, rest);
        if (cuts % 4 === 2) return void request.socket.destroy();
        response.writeHead = () => {
          request.socket.destroy();
          return response;
        };
        await route.answer(request, response, rest);
      },
    }),
  });
  const leaving = await openPod(t, { name: "outbound-1" });
  const kept = await fill(leaving, 40);
  order(leaving, [staying]);
  await until("an empty spool", async () => (await queued(leaving)) === 0, 60_000);
  assert.ok(cuts > 40, `only ${cuts} transfers`);
  assert.deepEqual(byId(await contentsOf(staying)), byId(kept));
  assert.equal(staying.lines.filter(({ msg }) => msg === "taken over").length, 40);
  assert.equal(leaving.lines.filter(({ msg }) => msg === "handed over").length, 40);
});

test("what a process before this one offered is asked for at the start, without any order", async (t) => {
  const staying = await openPod(t, { name: "outbound-0" });
  const directory = await mkdtemp(join(tmpdir(), "handoff-"));
  const former = await openPod(t, { name: "outbound-1", directory });
  const kept = [...(await fill(former, 4)).values()];
  const offered = await former.spool.handoff.offer({ ...atStart, limit: 3, peer: staying.asPeer, offer: "cut off" });
  const [taken, ...others] = offered;
  assert.ok(taken);
  await staying.spool.handoff.receive({ ...taken, offer: "cut off", now: start });
  await former.end();

  const again = await openPod(t, { name: "outbound-1", directory });
  await until("no open offers", async () => (await again.spool.handoff.openOffers()).length === 0);
  assert.equal(await queued(again), 3);
  const left = await contentsOf(again);
  assert.deepEqual(
    [...left.keys()].toSorted(),
    kept
      .map(({ message }) => message.id)
      .filter((id) => id !== taken.message.id)
      .toSorted(),
  );
  assert.equal(others.length, 2);
  assert.deepEqual(again.lines.filter(({ msg }) => msg === "handed over").map(idOf), [taken.message.id]);
});

test("an order that is taken back stops the giving, and what was not given is delivered here", async (t) => {
  const first = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const staying = await openPod(t, {
    name: "outbound-0",
    between: (route) => ({
      ...route,
      answer: async (request, response, rest) => {
        first.resolve();
        await release.promise;
        await route.answer(request, response, rest);
      },
    }),
  });
  const leaving = await openPod(t, { name: "outbound-1" });
  await fill(leaving, 200);
  order(leaving, [staying]);
  await first.promise;
  leaving.orders.takeBack();
  await until("delivery to go on", () => leaving.told.at(-1) === "resume");
  assert.equal(leaving.giver.progress(), undefined);
  release.resolve();
  await until("no open offers", async () => (await leaving.spool.handoff.openOffers()).length === 0);
  const [left, gone] = [await queued(leaving), await queued(staying)];
  assert.equal(left + gone, 200);
  assert.ok(gone > 0 && gone <= 64, `${gone} went`);
});

test("an order that is given again while transfers of the first are under way gives all mail, also after a failure", async (t) => {
  const [first, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const seen = { puts: 0, isRefusing: true };
  const staying = await openPod(t, {
    name: "outbound-0",
    between: (route) => ({
      ...route,
      answer: async (request, response, rest) => {
        first.resolve();
        await release.promise;
        seen.puts += 1;
        if (seen.puts < 100 || !seen.isRefusing) return route.answer(request, response, rest);
        request.resume();
        response.writeHead(503).end("not now\n");
      },
    }),
  });
  const leaving = await openPod(t, { name: "outbound-1" });
  await fill(leaving, 200);
  order(leaving, [staying]);
  await first.promise;
  leaving.orders.takeBack();
  order(leaving, [staying]);
  release.resolve();
  await until("a refusal", () => leaving.lines.some(({ msg }) => msg === "a peer takes no mail"));
  await until("no open offers", async () => (await leaving.spool.handoff.openOffers()).length === 0);
  seen.isRefusing = false;
  await until("an empty spool", async () => (await queued(leaving)) === 0);
  assert.equal(await queued(staying), 200);
});

test("an offer that cannot be ended at once is ended later", async (t) => {
  const [leaving, staying] = [await openPod(t, { name: "outbound-1" }), await openPod(t, { name: "outbound-0" })];
  await fill(leaving, 8);
  const { handoff } = leaving.spool;
  const [offer, takeBack] = [handoff.offer.bind(handoff), handoff.takeBack.bind(handoff)];
  const failing = { times: 3 };
  handoff.offer = async (question) => {
    const offered = await offer(question);
    leaving.orders.takeBack();
    return offered;
  };
  handoff.takeBack = async (id) => {
    failing.times -= 1;
    if (failing.times >= 0) throw new Error("database or disk is full");
    return takeBack(id);
  };
  order(leaving, [staying]);
  await until("no order", () => leaving.orders.current() === undefined);
  await until("no open offers", async () => failing.times < 0 && (await handoff.openOffers()).length === 0);
  assert.deepEqual([await queued(leaving), await queued(staying)], [8, 0]);
});

test("a message that both have, each without the other's answer, is never removed by both", async (t) => {
  const other = await openPod(t, { name: "outbound-1" });
  const one = await openPod(t, { name: "outbound-0" });
  await fill(one, 1);
  const [whole] = await one.spool.handoff.offer({ ...atStart, limit: 1, peer: other.asPeer, offer: "lost answer" });
  assert.ok(whole);
  await other.spool.handoff.receive({ ...whole, offer: "lost answer", now: start });
  // It cannot say that it has the message while it waits to hear that the other does.
  order(other, [one]);
  await until("an answer", () => other.giver.progress()?.failure);
  assert.deepEqual([await queued(one), await queued(other)], [1, 1]);
  await one.end();
  const again = await openPod(t, { name: "outbound-0", directory: one.directory });
  await until("no open offers", async () => (await again.spool.handoff.openOffers()).length === 0);
  order(other, [again]);
  await until("an empty spool", async () => (await queued(other)) === 0);
  assert.deepEqual([...(await contentsOf(again)).keys()], [whole.message.id]);
});

const largeOctets = 40 * inlineLimitBytes;

async function commitLarge(pod: Pod): Promise<SpoolId> {
  const { message } = newMessage();
  const writer = pod.spool.begin(message.id);
  await writer.write(Buffer.alloc(largeOctets, "0123456789abcdef"));
  const body = await writer.finish();
  const recipients = [{ index: 0, address: "a@example.net", attempts: 0 }];
  await pod.spool.commit({ message: { ...message, body }, recipients, dueAt: start - 10_000 });
  return message.id;
}

test("a message whose body cannot be read stays and holds up no other", async (t) => {
  const [leaving, staying] = [await openPod(t, { name: "outbound-1" }), await openPod(t, { name: "outbound-0" })];
  const broken = await commitLarge(leaving);
  await unlink(join(leaving.directory, "bodies", broken));
  await fill(leaving, 30);
  order(leaving, [staying]);
  await until("one message left", async () => (await queued(leaving)) === 1 && (await queued(staying)) === 30);
  assert.deepEqual([...(await contentsOf(leaving)).keys()], [broken]);
});

test("the readable recipients of a message of which one cannot be read are left to delivery, the others go", async (t) => {
  const [leaving, staying] = [await openPod(t, { name: "outbound-1" }), await openPod(t, { name: "outbound-0" })];
  const spoiled = newMessage({ acceptedAt: start - 10_000 }, [{}, {}]);
  await leaving.spool.commit(spoiled);
  const database = new DatabaseSync(join(leaving.directory, "spool.db"), { timeout: 10_000 });
  database.exec("UPDATE recipient SET notify = 'LATER' WHERE idx = 1");
  database.close();
  await fill(leaving, 30);
  order(leaving, [staying]);
  await until("the others at the peer, and delivery to go on", async () => {
    return (await queued(staying)) === 30 && leaving.told.at(-1) === "resume";
  });
  const [entry, ...more] = await leaving.spool.claim({ now: start, limit: 10 });
  assert.deepEqual([entry?.message.id, entry?.recipients.map(({ index }) => index)], [spoiled.message.id, [0]]);
  assert.equal(more.length, 0);
  assert.deepEqual(leaving.told, ["stand down", "resume"]);
});

test("a large body whose transfer breaks off in the middle is given once more", async (t) => {
  let cuts = 0;
  const staying = await openPod(t, {
    name: "outbound-0",
    between: (route) => ({
      ...route,
      answer: async (request, response, rest) => {
        if (request.method !== "PUT" || cuts > 0) return route.answer(request, response, rest);
        cuts += 1;
        request.once("data", () => request.socket.destroy());
      },
    }),
  });
  const leaving = await openPod(t, { name: "outbound-1" });
  const id = await commitLarge(leaving);
  order(leaving, [staying]);
  await until("an empty spool", async () => (await queued(leaving)) === 0);
  assert.equal(cuts, 1);
  assert.deepEqual([...(await contentsOf(staying)).keys()], [id]);
});

test("a message that is in the spool keeps its body, whatever fails after that", async (t) => {
  const journal: Journal = {
    write: (): never => {
      throw new Error("the journal is broken");
    },
  };
  const [leaving, staying] = [
    await openPod(t, { name: "outbound-1" }),
    await openPod(t, { name: "outbound-0", journal }),
  ];
  const id = await commitLarge(leaving);
  order(leaving, [staying]);
  await until("an empty spool", async () => (await queued(leaving)) === 0);
  assert.equal(await queued(staying), 1);
  let octets = 0;
  for await (const chunk of staying.spool.readBody(id)) octets += chunk.length;
  assert.equal(octets, largeOctets);
});

test("an old offer is still known after a start: its giver may have been away as long", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "handoff-"));
  const former = await openPod(t, { name: "outbound-0", directory });
  const { message } = newMessage();
  const name = { id: message.id, offer: "cut off" };
  const recipients = [{ index: 0, address: "a@example.net", attempts: 0, dueAt: start }];
  await former.spool.handoff.receive({ message, recipients, offer: name.offer, now: start - 48 * 3_600_000 });
  await former.spool.handoff.offer({ ...atStart, limit: 1, peer: former.asPeer, offer: "on" });
  await former.spool.handoff.remove(message.id);
  await former.end();
  const again = await openPod(t, { name: "outbound-0", directory });
  assert.equal(await again.spool.handoff.knows(name), true);
});

test("an offer that was denied is not taken any more, a new one is", async (t) => {
  const staying = await openPod(t, { name: "outbound-0" });
  const { message, recipients } = newMessage();
  const bytes = message.body.kind === "inline" ? message.body.bytes : Buffer.alloc(0);
  const scheduled = recipients.map((one) => ({ ...one, dueAt: start }));
  const body = Buffer.concat([encodeHead({ message, recipients: scheduled }, () => ({})), bytes]);
  const ask = async (method: "PUT" | "GET", offer: string, spool = "elsewhere"): Promise<number> => {
    const headers = { [headerName.offer]: offer, [headerName.spool]: spool, [headerName.from]: "outbound-1" };
    const path = `/handoff/${message.id}`;
    const question = { method, path, headers, ...(method === "PUT" ? { body } : {}) };
    return (await askPort(staying.asPeer.port, files, question)).status;
  };
  const own = staying.spool.handoff.spoolId;
  assert.deepEqual([await ask("PUT", "zero", own), await ask("GET", "zero", own)], [421, 421]);
  assert.equal(await ask("GET", "one"), 404);
  assert.equal(await ask("PUT", "one"), 410);
  assert.equal(await queued(staying), 0);
  assert.equal(await ask("PUT", "two"), 201);
  assert.equal(await ask("GET", "two"), 200);
  assert.equal(await ask("PUT", "two"), 200);
  assert.equal(await queued(staying), 1);
});

function idOf({ spoolId }: Record<string, unknown>): unknown {
  return spoolId;
}

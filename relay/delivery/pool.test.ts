import assert from "node:assert/strict";
import { test } from "node:test";
import { silentMetrics, smarthostAt } from "../../test/support/relayvalues.ts";
import { createPool, type Pool, type PoolOptions } from "./pool.ts";
import { ConnectError, type NextHopConnection, type NextHop } from "../smtp/client/transport.ts";

const hop: NextHop = { key: "hop", smarthost: smarthostAt(25), helo: "relay.test" };

class FakeConnection implements NextHopConnection {
  readonly peerAddress = undefined;
  readonly tlsVersion = undefined;
  readonly hop: NextHop;
  messages = 0;
  alive = true;
  ended: (() => void) | undefined;

  constructor(to: NextHop) {
    this.hop = to;
  }

  transact(): ReturnType<NextHopConnection["transact"]> {
    this.messages += 1;
    return Promise.resolve({ answers: [], stale: false });
  }

  quit(): void {
    this.alive = false;
    this.ended?.();
  }

  destroy(): void {
    this.alive = false;
  }

  onEnd(listener: () => void): void {
    this.ended = listener;
  }
}

interface PoolBench {
  readonly pool: Pool;
  readonly opened: FakeConnection[];
  /** Dials under way, to be ended by the test. */
  readonly dials: PromiseWithResolvers<NextHopConnection>[];
  readonly open: (to?: NextHop) => Promise<void>;
}

function benchFor(options: Partial<PoolOptions> = {}): PoolBench {
  const opened: FakeConnection[] = [];
  const dials: PromiseWithResolvers<NextHopConnection>[] = [];
  const dial = (): Promise<NextHopConnection> => {
    const pending = Promise.withResolvers<NextHopConnection>();
    dials.push(pending);
    return pending.promise;
  };
  const pool = createPool({ clock: { now: () => 0 }, metrics: silentMetrics, open: dial, ...options });
  const open = async (to = hop): Promise<void> => {
    const connection = new FakeConnection(to);
    opened.push(connection);
    dials.shift()?.resolve(connection);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { pool, opened, dials, open };
}

test("a pool reuses the connection that was given back", async () => {
  const { pool, opened, open } = benchFor();
  const first = pool.acquire(hop);
  await open();
  pool.release(await first);
  assert.equal(await pool.acquire(hop), opened[0]);
});

test("a pool dials a hop once however many wait, and then as often as it has connections", async () => {
  const { pool, dials, open } = benchFor();
  const all = Array.from({ length: 10 }, () => pool.acquire(hop));
  assert.equal(dials.length, 1);
  // With n open, n more may be on their way.
  for (const expected of [1, 2, 3]) {
    await open();
    assert.equal(dials.length, expected);
  }
  await all[0];
});

test("a pool never holds more connections than its limit", async () => {
  const { pool, opened, dials, open } = benchFor({ maxConnections: 3 });
  const all = Array.from({ length: 10 }, () => pool.acquire(hop));
  for (let count = 0; count < 5; count += 1) await open();
  assert.equal(dials.length, 0);
  assert.equal(all.length, 10);
  const [first] = opened;
  assert.ok(first);
  pool.release(first);
  assert.equal(await all[3], first);
});

test("a pool tells everyone who waits when the hop cannot be reached", async () => {
  const { pool, dials } = benchFor();
  const all = [pool.acquire(hop), pool.acquire(hop), pool.acquire(hop)];
  dials[0]?.reject(new ConnectError({ phase: "connect", detail: "ECONNREFUSED" }));
  for (const result of await Promise.allSettled(all)) assert.equal(result.status, "rejected");
});

test("a pool lets those wait for an open connection when the hop refuses one more", async () => {
  const { pool, opened, dials, open } = benchFor();
  const first = pool.acquire(hop);
  await open();
  await first;
  const second = pool.acquire(hop);
  dials[0]?.reject(new ConnectError({ phase: "greeting" }));
  await new Promise((resolve) => setImmediate(resolve));
  const [connection] = opened;
  assert.ok(connection);
  pool.release(connection);
  assert.equal(await second, connection);
});

test("a pool gives the place of a connection that was refused to another hop that waits for it", async () => {
  const limits = { key: "site", maxConnections: 2, messagesPerConnection: 100 };
  const [one, two] = ["one", "two"].map((key): NextHop => ({ ...hop, key, limits }));
  assert.ok(one !== undefined && two !== undefined);
  const { pool, dials, open } = benchFor();
  const first = pool.acquire(one);
  await open(one);
  await first;
  void pool.acquire(one);
  const other = pool.acquire(two);
  assert.equal(dials.length, 1, "the limit is reached");
  dials.shift()?.reject(new ConnectError({ phase: "greeting" }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(dials.length, 1);
  await open(two);
  assert.equal((await other).hop, two);
});

test("a pool closes a connection after its share of messages", async () => {
  const { pool, opened, open } = benchFor({ messagesPerConnection: 2 });
  const first = pool.acquire(hop);
  await open();
  const connection = await first;
  await opened[0]?.transact();
  await opened[0]?.transact();
  pool.release(connection);
  assert.equal(connection.alive, false);
});

test("a pool forgets an idle connection that the hop closed", async () => {
  const { pool, opened, dials, open } = benchFor();
  const first = pool.acquire(hop);
  await open();
  pool.release(await first);
  opened[0]?.ended?.();
  const second = pool.acquire(hop);
  assert.equal(dials.length, 1);
  await open();
  assert.equal(await second, opened[1]);
});

test("a pool asked for a fresh connection drops the idle ones", async () => {
  const { pool, opened, open } = benchFor();
  const first = pool.acquire(hop);
  await open();
  pool.release(await first);
  const fresh = pool.acquire(hop, { fresh: true });
  await open();
  assert.equal(await fresh, opened[1]);
  assert.equal(opened[0]?.alive, false);
});

test("a closed pool ends its connections and refuses those who wait", async () => {
  const { pool, opened, open } = benchFor({ maxConnections: 1 });
  const first = pool.acquire(hop);
  const second = pool.acquire(hop);
  await open();
  await first;
  pool.close();
  await assert.rejects(second, ConnectError);
  await assert.rejects(pool.acquire(hop), ConnectError);
  assert.equal(opened[0]?.alive, false);
});

test("a pool keeps the hops of one destination within its limit, idle ones making way", async () => {
  const limits = { key: "site", maxConnections: 2, messagesPerConnection: 100 };
  const [one, two] = ["one", "two"].map((key): NextHop => ({ ...hop, key, limits }));
  assert.ok(one !== undefined && two !== undefined);
  const { pool, opened, dials, open } = benchFor();
  const first = pool.acquire(one);
  await open(one);
  const second = pool.acquire(two);
  await open(two);
  const third = pool.acquire(two);
  assert.equal(dials.length, 0, "the limit is reached");
  pool.release(await first);
  assert.equal(opened[0]?.alive, false, "a connection to the other hop makes way");
  assert.equal(dials.length, 1);
  await open(two);
  assert.notEqual(await third, await second);
});

test("a pool closes a connection after as many messages as its destination allows", async () => {
  const limits = { key: "site", maxConnections: 1, messagesPerConnection: 2 };
  const limited: NextHop = { ...hop, key: "limited", limits };
  const { pool, opened, open } = benchFor();
  const first = pool.acquire(limited);
  await open(limited);
  for (let count = 0; count < 2; count += 1) await (await first).transact({} as never);
  pool.release(await first);
  assert.equal(opened[0]?.alive, false);
});

test("a pool lets the hops of one destination take turns when its limit is reached", async () => {
  const limits = { key: "site", maxConnections: 1, messagesPerConnection: 1_000 };
  const [one, two] = ["one", "two"].map((key): NextHop => ({ ...hop, key, limits }));
  assert.ok(one !== undefined && two !== undefined);
  const { pool, dials, open } = benchFor();
  let turn = pool.acquire(one);
  await open(one);
  const other = pool.acquire(two);
  let messages = 0;
  // Somebody always waits for the first hop.
  while (dials.length === 0 && messages < 100) {
    const connection = await turn;
    await connection.transact({} as never);
    messages += 1;
    turn = pool.acquire(one);
    pool.release(connection);
  }
  await open(two);
  await other;
  assert.equal(messages, 10);
});

test("a connection that says QUIT keeps its place until it is closed, and leaves it to who came meanwhile", async () => {
  const limits = { key: "site", maxConnections: 1, messagesPerConnection: 1 };
  const limited: NextHop = { ...hop, key: "limited", limits };
  const { pool, opened, dials, open } = benchFor();
  const first = pool.acquire(limited);
  await open(limited);
  const [leaving] = opened;
  assert.ok(leaving);
  leaving.quit = () => undefined;
  await (await first).transact({} as never);
  pool.release(await first);
  const second = pool.acquire(limited);
  assert.equal(dials.length, 0);
  leaving.alive = false;
  leaving.ended?.();
  assert.equal(dials.length, 1);
  await open(limited);
  pool.release(await second);
  assert.equal(await pool.acquire(limited), opened[1]);
});

test("a pool gives nobody an idle connection that is dead, however it died", async () => {
  const { pool, opened, dials, open } = benchFor();
  const first = pool.acquire(hop);
  await open();
  pool.release(await first);
  const [dead] = opened;
  assert.ok(dead);
  // Its end has not been told yet.
  dead.alive = false;
  const second = pool.acquire(hop);
  assert.equal(dials.length, 1);
  await open();
  assert.equal(await second, opened[1]);
});

test("a pool keeps no connection that is given back dead", async () => {
  const { pool, opened, dials, open } = benchFor();
  const first = pool.acquire(hop);
  await open();
  const [dead] = opened;
  assert.ok(dead);
  dead.alive = false;
  pool.release(await first);
  void pool.acquire(hop);
  assert.equal(dials.length, 1);
});

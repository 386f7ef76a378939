import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConnectionCount, type Seat } from "./connections.ts";

const limits = { connections: 8, connectionsPerClient: 6 };

/** Seats by the order in which they were taken; who gave way is in `gone`. */
class Hall {
  readonly count = new ConnectionCount({ now: () => 0 });
  readonly gone: string[] = [];
  readonly seats = new Map<string, Seat>();

  /** The name is that of the client with a number behind it. */
  enter(name: string, isKnown = false): string {
    const client = name.replace(/\d+$/, "");
    const seat = this.count.enter({ client, isKnown, giveWay: () => this.gone.push(name) }, limits);
    if (seat.kind === "refusal") return `${seat.code} ${seat.enhanced}`;
    this.seats.set(name, seat);
    return "in";
  }
}

test("a client has as many places as one client may have, strangers and known together", () => {
  const hall = new Hall();
  for (const name of ["a1", "a2", "a3"]) assert.equal(hall.enter(name), "in");
  for (const name of ["a4", "a5", "a6"]) assert.equal(hall.enter(name, true), "in");
  assert.equal(hall.enter("a7", true), "421 4.7.0");
  hall.seats.get("a2")?.leave();
  hall.seats.get("a2")?.leave();
  assert.equal(hall.enter("a8", true), "in");
  assert.equal(hall.enter("a9", true), "421 4.7.0");
});

test("strangers leave a quarter to the others, and one who logs in is none any more", () => {
  const hall = new Hall();
  for (const name of ["a1", "a2", "a3", "b1", "b2", "b3"]) assert.equal(hall.enter(name), "in");
  assert.equal(hall.enter("b4"), "421 4.3.2");
  assert.equal(hall.enter("c1", true), "in");
  hall.seats.get("a1")?.know();
  assert.equal(hall.enter("d1"), "in");
  assert.deepEqual(hall.gone, []);
  assert.equal(hall.count.total, 8);
  assert.equal(hall.enter("e1", true), "in");
  assert.deepEqual(hall.gone, ["b1"]);
});

test("the oldest stranger of the client with the most gives way to a newcomer who has fewer", () => {
  const hall = new Hall();
  for (const name of ["a1", "b1", "b2", "b3", "a2", "c1"]) hall.enter(name);
  assert.equal(hall.enter("d1"), "in");
  assert.deepEqual(hall.gone, ["b1"]);
  assert.equal(hall.enter("b4"), "421 4.3.2");
  assert.equal(hall.enter("d2"), "in");
  assert.deepEqual(hall.gone, ["b1", "a1"]);
  hall.seats.get("b1")?.leave();
  assert.equal(hall.count.total, 6);
});

test("a client is known while one of its sessions is, and for ten minutes after the last of them", () => {
  let now = 0;
  const count = new ConnectionCount({ now: () => now });
  const enter = (isKnown: boolean): Seat => {
    const seat = count.enter({ client: "a", isKnown, giveWay: () => undefined }, limits);
    assert.ok(seat.kind === "seat");
    return seat;
  };
  const [stranger, trusted] = [enter(false), enter(true)];
  assert.equal(count.isKnown("a"), true);
  assert.equal(count.isKnown("b"), false);
  trusted.leave();
  now = 599_999;
  assert.equal(count.isKnown("a"), true);
  now = 600_000;
  assert.equal(count.isKnown("a"), false);
  stranger.know();
  now = 6_000_000;
  assert.equal(count.isKnown("a"), true);
  enter(false).leave();
  stranger.leave();
  now += 599_999;
  assert.equal(count.isKnown("a"), true);
  now += 1;
  enter(false).leave();
  assert.equal(count.isKnown("a"), false);
});

test("the known give way to nobody", () => {
  const hall = new Hall();
  for (const name of ["a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4"]) hall.enter(name, true);
  assert.equal(hall.enter("c1"), "421 4.3.2");
  assert.equal(hall.enter("c2", true), "421 4.3.2");
  assert.deepEqual(hall.gone, []);
});

test("whoever comes, logs in and goes: the limits hold, a newcomer without places gets in past strangers, and all is free at the end", () => {
  const step = fc.record({
    client: fc.constantFrom("a", "b", "c", "d"),
    act: fc.constantFrom("enter", "enterKnown", "know", "leave"),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const count = new ConnectionCount({ now: () => 0 });
      const held = new Map<Seat, { client: string; isKnown: boolean }>();
      for (const { client, act, which } of steps) {
        const seats = [...held.keys()];
        const seat = seats[which % Math.max(1, seats.length)];
        if (act === "leave" && seat !== undefined) {
          seat.leave();
          held.delete(seat);
        } else if (act === "know" && seat !== undefined) {
          seat.know();
          held.set(seat, { client: held.get(seat)?.client ?? "", isKnown: true });
        } else if (act.startsWith("enter")) {
          const isKnown = act === "enterKnown";
          const own: { seat?: Seat } = {};
          const entered = count.enter(
            { client, isKnown, giveWay: () => void (own.seat && held.delete(own.seat)) },
            limits,
          );
          if (entered.kind === "seat") {
            own.seat = entered;
            held.set(entered, { client, isKnown });
          }
          const of = (name: string): number => [...held.values()].filter((each) => each.client === name).length;
          const strangers = [...held.values()].filter((each) => !each.isKnown);
          assert.ok(entered.kind === "seat" || of(client) > 0 || strangers.length === 0);
          assert.ok(of(client) <= limits.connectionsPerClient);
          assert.ok(isKnown || strangers.length <= 6);
        }
        assert.equal(count.total, held.size);
        assert.ok(held.size <= limits.connections);
      }
      for (const seat of held.keys()) seat.leave();
      assert.equal(count.total, 0);
    }),
  );
});

test("behind one address strangers that stay do not keep out who comes to log in, and who has logged in stays", () => {
  let now = 0;
  const count = new ConnectionCount({ now: () => now });
  const gone: string[] = [];
  const enter = (name: string): Seat | undefined => {
    const seat = count.enter({ client: "node", isKnown: false, giveWay: () => gone.push(name) }, limits);
    return seat.kind === "refusal" ? undefined : seat;
  };
  enter("first")?.know();
  for (const name of ["a", "b", "c", "d", "e"]) assert.ok(enter(name));
  now = 14_999;
  assert.equal(enter("too early"), undefined);
  now = 15_000;
  assert.ok(enter("f"));
  assert.ok(enter("g"));
  assert.deepEqual(gone, ["a", "b"]);
  for (const name of ["h", "i", "j"]) assert.ok(enter(name));
  assert.equal(enter("next"), undefined, "those have come just now");
  assert.deepEqual(gone, ["a", "b", "c", "d", "e"]);
  assert.equal(count.total, 6);
});

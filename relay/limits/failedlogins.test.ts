/** Who is held back when logins fail, and who never is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FailedLogins, type LoginAttempt } from "./failedlogins.ts";

const second = 1000;
const minute = 60 * second;

/** Logins on one clock. */
class Door {
  now = 0;
  readonly logins = new FailedLogins({ now: () => this.now });
  #guesses = 0;

  /** A password that was not tried before. */
  guess(client: string, user: string | undefined, times = 1): void {
    for (let count = 0; count < times; count += 1) {
      this.#guesses += 1;
      this.logins.failed({ client, user, shown: `guess ${this.#guesses}` });
    }
  }

  turn(client: string, user: string | undefined): string {
    const turn = this.logins.turn({ client, user });
    return turn.kind === "at once" ? turn.kind : `${turn.kind}: ${turn.by}`;
  }
}

const owner: LoginAttempt = { client: "10.0.0.1", user: "shop" };

test("a client that guesses at a name is refused it after ten, and gets one more try a minute", () => {
  const door = new Door();
  door.guess("192.0.2.1", "shop", 9);
  assert.equal(door.turn("192.0.2.1", "shop"), "at once");
  door.guess("192.0.2.1", "shop");
  const turn = door.logins.turn({ client: "192.0.2.1", user: "shop" });
  assert.deepEqual(turn, { kind: "refused", by: "client and user", waitMs: minute });
  assert.equal(door.turn("192.0.2.1", "other"), "at once");
  assert.equal(door.turn("192.0.2.2", "shop"), "at once");
  door.now += minute;
  assert.equal(door.turn("192.0.2.1", "shop"), "at once");
  door.guess("192.0.2.1", "shop");
  assert.equal(door.turn("192.0.2.1", "shop"), "refused: client and user");
});

test("the same wrong password again is no guess, however often, and another one is", () => {
  const door = new Door();
  for (let count = 0; count < 1000; count += 1) door.logins.failed({ ...owner, shown: "of last year" });
  assert.equal(door.turn(owner.client, "shop"), "at once");
  door.guess(owner.client, "shop", 9);
  assert.equal(door.turn(owner.client, "shop"), "refused: client and user");
});

test("where a password cannot be told from another each failure is a guess", () => {
  const door = new Door();
  for (let count = 0; count < 10; count += 1) door.logins.failed(owner);
  assert.equal(door.turn(owner.client, "shop"), "refused: client and user");
});

test("a stranger locks nobody out who was let in before: at another address it is let in at once, at the same one slowly", () => {
  const door = new Door();
  door.logins.succeeded(owner);
  for (let attacker = 1; attacker <= 200; attacker += 1) door.guess(`192.0.2.${attacker}`, "shop", 3);
  assert.equal(door.turn("192.0.2.201", "shop"), "refused: user");
  assert.equal(door.turn(owner.client, "shop"), "at once");
  door.guess(owner.client, "other", 10);
  assert.equal(door.turn(owner.client, "other"), "refused: client and user", "it was let in with another name");
  door.guess(owner.client, "shop", 100);
  assert.equal(door.turn(owner.client, "shop"), "slowly: client and user");
  door.now += 7 * 24 * 60 * minute;
  door.guess(owner.client, "shop", 100);
  assert.equal(door.turn(owner.client, "shop"), "refused: client and user");
});

test("a few who guess at a name leave room for its owner at an address that is new", () => {
  const door = new Door();
  for (const last of [1, 2, 3, 4, 5, 6]) door.guess(`192.0.2.${last}`, "shop", 10);
  assert.equal(door.turn("10.0.0.9", "shop"), "at once");
  // One that has failed lately with another name is suspect.
  door.guess("192.0.2.9", "other");
  const turn = door.logins.turn({ client: "192.0.2.9", user: "shop" });
  assert.deepEqual(turn, { kind: "refused", by: "user", waitMs: 11 * 10 * second });
  for (let last = 10; last < 50; last += 1) door.guess(`192.0.2.${last}`, "shop");
  assert.equal(door.turn("10.0.0.9", "shop"), "refused: user");
  door.now += 10 * second;
  assert.equal(door.turn("10.0.0.9", "shop"), "at once");
});

test("a client that tries many names is served slowly and never refused, as it may be many behind one address", () => {
  const door = new Door();
  for (let name = 1; name <= 30; name += 1) door.guess("192.0.2.1", `name${name}`);
  assert.equal(door.turn("192.0.2.1", "shop"), "slowly: client");
  assert.equal(door.turn("192.0.2.1", undefined), "slowly: client");
  assert.equal(door.turn("192.0.2.2", undefined), "at once");
  door.logins.succeeded({ client: "192.0.2.1", user: "shop" });
  assert.equal(door.turn("192.0.2.1", "shop"), "at once");
  door.now += 5 * second;
  assert.equal(door.turn("192.0.2.1", "another"), "at once");
});

test("a login without a name counts for its client", () => {
  const door = new Door();
  door.guess("192.0.2.1", undefined, 30);
  assert.equal(door.turn("192.0.2.1", "shop"), "slowly: client");
});

test("who guesses at ever new names does not make the relay forget who was let in, and takes no more than so much memory", () => {
  const door = new Door();
  door.logins.succeeded(owner);
  door.guess("192.0.2.1", "shop", 10);
  for (let name = 0; name < 9_000; name += 1) door.guess("192.0.2.2", `name${name}`);
  assert.equal(door.turn("192.0.2.1", "shop"), "refused: client and user");
  for (let name = 0; name < 12_000; name += 1) door.guess("192.0.2.3", `name${name}`);
  assert.equal(door.turn("192.0.2.1", "shop"), "at once");
  door.guess(owner.client, "shop", 10);
  assert.equal(door.turn(owner.client, "shop"), "slowly: client and user");
});

test("a clock that is set back holds nobody back for longer", () => {
  const door = new Door();
  door.now = 60 * minute;
  door.guess("192.0.2.1", "shop", 10);
  door.now = 0;
  assert.equal(door.turn("192.0.2.1", "shop"), "refused: client and user");
  door.now = minute;
  assert.equal(door.turn("192.0.2.1", "shop"), "at once");
});

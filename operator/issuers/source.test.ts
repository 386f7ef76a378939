import assert from "node:assert/strict";
import { test } from "node:test";
import { signingIssuer } from "../../test/support/tokens.ts";
import { ForbiddenError } from "../kube/kube.ts";
import type { IssuerFact, IssuerKeys } from "./issuer.ts";
import { createIssuerSource } from "./source.ts";

const minute = 60_000;
const hour = 60 * minute;
const { jwk, key } = signingIssuer();
const issuer = "https://login.example.com";

interface Clock {
  at: number;
}

/** A source whose readings are counted, and which fail while they are told to. */
function counted(fails: () => Error | undefined = () => undefined) {
  const clock: Clock = { at: 0 };
  const readings: string[] = [];
  const read = <T>(name: string, answer: T): T => {
    readings.push(name);
    const error = fails();
    if (error !== undefined) throw error;
    return answer;
  };
  const source = createIssuerSource({
    now: () => clock.at,
    kube: {
      tokenIssuer: async () =>
        Promise.resolve(read("cluster", { discovery: { issuer: "https://cluster" }, keys: { keys: [jwk] } })),
    },
    fetch: async (question) => Promise.resolve(read<IssuerKeys>("oidc", { issuer: question.issuer, keys: [key] })),
  });
  return { clock, readings, source };
}

test("keys are read once an hour, however often they are asked for", async () => {
  const { clock, readings, source } = counted();
  for (let at = 0; at < hour; at += 10_000) {
    clock.at = at;
    const fact = await source.cluster(false);
    assert.deepEqual(fact, { found: { issuer: "https://cluster", keys: [key] }, failure: undefined, isReading: false });
  }
  assert.equal(readings.length, 1);
  clock.at = hour;
  await source.cluster(false);
  assert.equal(readings.length, 2);
});

test("a pod that waits for a key has them read at once, and one that always waits once a minute", async () => {
  const { clock, readings, source } = counted();
  await source.cluster(false);
  clock.at = 1_000;
  await source.cluster(true);
  assert.equal(readings.length, 2);
  for (let at = 1_000; at < 1_000 + 10 * minute; at += 500) {
    clock.at = at;
    await source.cluster(true);
  }
  assert.equal(readings.length, 11);
});

test("keys stay while an issuer is away, which is asked again each minute", async () => {
  let error: Error | undefined;
  const { clock, readings, source } = counted(() => error);
  await source.oidc({ issuer, ca: undefined }, false);
  error = new Error("it answers 503");
  clock.at = hour;
  const fact = await source.oidc({ issuer, ca: undefined }, false);
  assert.deepEqual(fact.found, { issuer, keys: [key] });
  assert.deepEqual(fact.failure, { kind: "unreadable", why: "it answers 503" });
  clock.at = hour + minute - 1;
  await source.oidc({ issuer, ca: undefined }, false);
  assert.equal(readings.length, 2);
  clock.at = hour + minute;
  error = undefined;
  assert.equal((await source.oidc({ issuer, ca: undefined }, false)).failure, undefined);
  assert.equal(readings.length, 3);
});

test("two issuers, and one that is believed by two authorities, are read each for itself", async () => {
  const { readings, source } = counted();
  await source.oidc({ issuer, ca: undefined }, false);
  await source.oidc({ issuer, ca: "another" }, false);
  await source.oidc({ issuer: "https://other.example.com", ca: undefined }, false);
  assert.equal(readings.length, 3);
});

test("a missing right and a cluster without keys are told apart", async () => {
  const forbidden = counted(() => new ForbiddenError("no"));
  assert.deepEqual((await forbidden.source.cluster(false)).failure, { kind: "forbidden" });
  const none = createIssuerSource({ now: () => 0, kube: { tokenIssuer: async () => Promise.resolve(undefined) } });
  assert.deepEqual((await none.cluster(false)).failure, { kind: "none" });
  const empty = createIssuerSource({
    now: () => 0,
    kube: { tokenIssuer: async () => Promise.resolve({ discovery: { issuer: "https://c" }, keys: { keys: [] } }) },
  });
  assert.match(JSON.stringify((await empty.cluster(false)).failure), /it has no key for RS256/);
});

test("a look waits for a reading for a moment only; its end is there for the next look", async () => {
  const slow = Promise.withResolvers<IssuerKeys>();
  const source = createIssuerSource({
    now: () => 0,
    kube: { tokenIssuer: async () => Promise.resolve(undefined) },
    fetch: async () => slow.promise,
    patienceMs: 1,
  });
  const question = { issuer, ca: undefined };
  assert.deepEqual(await source.oidc(question, false), { found: undefined, failure: undefined, isReading: true });
  slow.resolve({ issuer, keys: [key] });
  await slow.promise;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await source.oidc(question, false), {
    found: { issuer, keys: [key] },
    failure: undefined,
    isReading: false,
  });
});

test("a reading that does not end is given up, and the next one counts", async () => {
  const clock: Clock = { at: 0 };
  const first = Promise.withResolvers<IssuerKeys>();
  const answers = [first.promise, Promise.resolve<IssuerKeys>({ issuer, keys: [key] })];
  const source = createIssuerSource({
    now: () => clock.at,
    kube: { tokenIssuer: async () => Promise.resolve(undefined) },
    fetch: async () => answers.shift() ?? Promise.reject(new Error("one reading too many")),
    patienceMs: 1,
  });
  const look = async (at: number): Promise<IssuerFact> => {
    clock.at = at;
    return source.oidc({ issuer, ca: undefined }, false);
  };
  assert.equal((await look(0)).isReading, true);
  assert.equal((await look(29_999)).isReading, true);
  const failure = { kind: "unreadable", why: "no answer in time" };
  assert.deepEqual(await look(30_000), { found: undefined, failure, isReading: false });
  const found = { issuer, keys: [key] };
  assert.deepEqual(await look(minute), { found, failure: undefined, isReading: false });
  first.reject(new Error("much too late"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await look(minute + 1), { found, failure: undefined, isReading: false });
});

test("of a host whose addresses all refuse, the first refusal is told", async () => {
  const refused = ["127.0.0.1", "::1"].map((address) => new Error(`connect ECONNREFUSED ${address}:443`));
  const { source } = counted(() => new AggregateError(refused));
  const { failure } = await source.oidc({ issuer, ca: undefined }, false);
  assert.deepEqual(failure, { kind: "unreadable", why: "connect ECONNREFUSED 127.0.0.1:443" });
});

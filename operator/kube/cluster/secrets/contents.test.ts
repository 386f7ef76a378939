import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { RawObject } from "../../client/resource.ts";
import { Contents, keyOf } from "./contents.ts";
import { secretMemory } from "./secrets.ts";

const roomy = { usedBytes: 1_000_000, releasedBytes: 1_000_000 };
const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index)).toString("base64");

function secret(name: string, version: string, data?: Readonly<Record<string, string>>): RawObject {
  const metadata = { namespace: "mail", name, resourceVersion: version, labels: { a: "b" } };
  return { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", ...(data === undefined ? {} : { data }) };
}

test("content comes back byte for byte, for its version alone", () => {
  const contents = new Contents(roomy);
  const cases: readonly (Readonly<Record<string, string>> | undefined)[] = [
    { key: Buffer.from("-----BEGIN\nüber\n").toString("base64"), other: bytes, empty: "" },
    {},
    undefined,
  ];
  for (const [index, data] of cases.entries()) {
    const raw = secret(`s${index}`, "7", data);
    contents.keep(raw);
    // Of the metadata what is known now counts.
    const known = { metadata: { ...raw.metadata, labels: { a: "c" } } };
    assert.deepEqual(contents.get(known), { metadata: known.metadata, type: "Opaque", data: data ?? {} });
    assert.equal(contents.get(secret(`s${index}`, "8")), undefined);
  }
});

test("the oldest use goes first, and what is forgotten is gone", () => {
  const contents = new Contents({ usedBytes: 4_000, releasedBytes: 2_000 });
  const named = (name: string): RawObject => secret(name, "1", { a: randomBytes(1_000).toString("base64") });
  const has = (name: string): boolean => contents.get(secret(name, "1")) !== undefined;
  contents.keep(named("first"));
  contents.keep(named("second"));
  assert.ok(has("first"));
  contents.keep(named("third"));
  assert.deepEqual(["first", "second", "third"].map(has), [true, false, true]);
  contents.forget(keyOf(named("third")));
  assert.ok(!has("third"));
});

test("what was released makes room, and is in use again when it is read", () => {
  const contents = new Contents({ usedBytes: 4_000, releasedBytes: 2_000 });
  const named = (name: string): RawObject => secret(name, "1", { a: randomBytes(1_000).toString("base64") });
  const has = (name: string): boolean => contents.get(secret(name, "1")) !== undefined;
  for (const name of ["first", "second", "third"]) {
    contents.keep(named(name));
    contents.release(keyOf(named(name)));
  }
  assert.deepEqual(["first", "second", "third"].map(has), [false, false, true]);
  // It was read just now.
  contents.keep(named("fourth"));
  contents.release(keyOf(named("fourth")));
  assert.deepEqual(["third", "fourth"].map(has), [true, true]);
});

test("what many hold alike takes the room of one, until the last of them is gone", () => {
  // Room for one of them and a few keys.
  const contents = new Contents({ usedBytes: 60_000, releasedBytes: 0 });
  const bundle = randomBytes(20_000).toString("base64");
  const named = (name: string, a = bundle): RawObject => secret(name, "1", { a });
  const has = (name: string): boolean => contents.get(secret(name, "1")) !== undefined;
  const names = Array.from({ length: 20 }, (_, index) => `bundle-${index}`);
  for (const name of names) contents.keep(named(name));
  assert.deepEqual(names.filter(has), names);
  for (const name of names) assert.deepEqual(contents.get(named(name))?.["data"], { a: bundle });
  contents.keep(named("other", randomBytes(10_000).toString("base64")));
  assert.deepEqual([...names, "other"].filter(has), [...names, "other"]);
  for (const name of names.slice(1)) contents.forget(keyOf(named(name)));
  assert.ok(has("bundle-0"));
  contents.forget(keyOf(named("bundle-0")));
  // All of its room is there again.
  for (const name of ["next", "another"]) contents.keep(named(name, randomBytes(10_000).toString("base64")));
  assert.deepEqual(["other", "next", "another"].filter(has), ["other", "next", "another"]);
});

test("of a namespace that may not be read any more nothing is left", () => {
  const contents = new Contents(roomy);
  const placed = (namespace: string, name: string): RawObject => {
    const raw = secret(name, "1", { a: bytes });
    return { ...raw, metadata: { ...raw.metadata, namespace } };
  };
  const all = [placed("mail", "used"), placed("mail", "released"), placed("mail-2", "used")];
  for (const raw of all) contents.keep(raw);
  contents.release("mail/released");
  contents.forgetNamespace("mail");
  assert.deepEqual(
    all.map((raw) => contents.get(raw) !== undefined),
    [false, false, true],
  );
});

test("the keys of ten thousand domains and the certificates of 500 relays are remembered together", () => {
  const contents = new Contents(secretMemory);
  // As PEM: base64 of what has no pattern, in base64 again.
  const pem = (octets: number): string => Buffer.from(randomBytes(octets).toString("base64")).toString("base64");
  const domain = (index: number): RawObject => secret(`domain-${index}`, "1", { privateKey: pem(1_310) });
  // With both kinds of keys; beside it what pods know each other by, and their configuration.
  const relay = (index: number): RawObject =>
    secret(`relay-${index}`, "1", { "tls.crt": pem(1_900), "rsa.crt": pem(2_100), peer: pem(1_000), relay: pem(900) });
  for (let index = 0; index < 500; index += 1) contents.keep(relay(index));
  for (let index = 0; index < 10_000; index += 1) contents.keep(domain(index));
  assert.ok(contents.get(secret("relay-0", "1")) !== undefined);
  assert.ok(contents.get(secret("domain-0", "1")) !== undefined);
});

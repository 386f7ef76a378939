import assert from "node:assert/strict";
import { test } from "node:test";
import { type Begun, Turns } from "./turns.ts";

const none = async (): Promise<ReadonlyMap<string, Begun>> => new Map();
const begun = (replaced: number, isTelling = true): Begun => ({ replaced, isTelling });
const minutes = 60_000;

/** Which of them get a turn. */
async function given(turns: Turns, names: string, { now = 0, isWhole = true, present = none } = {}): Promise<string> {
  const asking = names.split("");
  const answers = await Promise.all(asking.map((name) => turns.ask(name, { now, isWhole, present })));
  return asking.filter((_, index) => answers[index]).join("");
}

test("no more relays begin than may, also when all ask at once, and a turn that is given back goes to another", async () => {
  const turns = new Turns(2);
  assert.equal(await given(turns, "abcdef"), "ab");
  assert.equal(await given(turns, "bcd", { now: 1 }), "b", "who has one keeps it");
  turns.giveBack("a");
  assert.equal(await given(turns, "cd", { now: 2 }), "c");
});

test("relays that replace pods already have the first turns of a new leader, be they more than may", async () => {
  const turns = new Turns(2);
  const present = async (): Promise<ReadonlyMap<string, Begun>> =>
    new Map([
      ["x", begun(1)],
      ["y", begun(0)],
      ["z", begun(0)],
    ]);
  assert.equal(await given(turns, "abx", { present }), "x");
  turns.giveBack("x");
  assert.equal(await given(turns, "a", { present }), "", "two still replace theirs");
  turns.giveBack("y");
  assert.equal(await given(turns, "a", { present }), "a");
});

test("what is there already is asked again where it could not be told", async () => {
  const turns = new Turns(1);
  await assert.rejects(given(turns, "a", { present: () => Promise.reject(new Error("no answer")) }), /no answer/);
  assert.equal(await given(turns, "a", { present: async () => new Map([["x", begun(0)]]) }), "");
});

test("a relay without progress for ten minutes holds up no other, and one that goes on does", async () => {
  const turns = new Turns(1);
  assert.equal(await given(turns, "ab"), "a");
  turns.replaces("a", 1, 9 * minutes);
  turns.replaces("a", 1, 18 * minutes);
  assert.equal(await given(turns, "b", { now: 18 * minutes }), "");
  assert.equal(await given(turns, "b", { now: 19 * minutes }), "b");
  assert.equal(turns.has("a"), true, "it may go on all the same");
});

test("relays of which not one pod becomes ready keep their turns until somebody mends or pauses them", async () => {
  const turns = new Turns(2);
  assert.equal(await given(turns, "abc"), "ab");
  for (const name of "ab") turns.replaces(name, 0, 0);
  assert.equal(
    await given(turns, "c", { now: 60 * minutes }),
    "",
    "a release that does not start stops no more of them",
  );
  turns.giveBack("a");
  assert.equal(await given(turns, "cd", { now: 60 * minutes }), "c");
  turns.replaces("b", 1, 61 * minutes);
  assert.equal(await given(turns, "d", { now: 71 * minutes }), "d");
});

test("a new leader starts no more relays than the one before where none of their pods becomes ready", async () => {
  const turns = new Turns(1);
  turns.replaces("x", 0, 0);
  const present = async (): Promise<ReadonlyMap<string, Begun>> => new Map([["x", begun(0)]]);
  assert.equal(await given(turns, "a", { now: 60 * minutes, present }), "");
});

test("a relay that its owner broke before a new leader came holds up others for ten minutes and no longer", async () => {
  const turns = new Turns(1);
  const present = async (): Promise<ReadonlyMap<string, Begun>> => new Map([["x", begun(0, false)]]);
  assert.equal(await given(turns, "a", { present }), "");
  assert.equal(await given(turns, "a", { now: 9 * minutes }), "");
  assert.equal(await given(turns, "a", { now: 10 * minutes }), "a");
});

test("a relay that its owner broke holds up others for ten minutes and no longer", async () => {
  const turns = new Turns(1);
  turns.replaces("x", 0, 0);
  assert.equal(await given(turns, "a", { now: 9 * minutes }), "");
  assert.equal(await given(turns, "a", { now: 10 * minutes }), "a");
});

test("relays that had a pod that was not ready before hold up others for ten minutes and no longer", async () => {
  const turns = new Turns(2);
  assert.equal(await given(turns, "abc", { isWhole: false }), "ab");
  for (const name of "ab") turns.replaces(name, 0, 0);
  assert.equal(await given(turns, "c", { now: 9 * minutes }), "");
  assert.equal(await given(turns, "c", { now: 10 * minutes }), "c");
});

test("relays without a pod that takes mail have no turn and hold up nobody, until they are whole again", async () => {
  const turns = new Turns(1);
  for (const name of "xyz") turns.passOver(name);
  for (const name of "xyz") turns.replaces(name, 0, 0);
  assert.equal(await given(turns, "a", { present: async () => new Map([["x", begun(0)]]) }), "a");
  turns.giveBack("a");
  turns.giveBack("x");
  turns.replaces("x", 0, 1);
  assert.equal(await given(turns, "b", { now: 2 }), "");
});

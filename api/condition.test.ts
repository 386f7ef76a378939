import assert from "node:assert/strict";
import { test } from "node:test";
import { type Condition, type Judgement, setCondition } from "./condition.ts";

const noon = Date.UTC(2026, 0, 2, 12, 0, 0, 345);
const noonText = "2026-01-02T12:00:00Z";

const ready: Condition = {
  type: "Ready",
  status: "False",
  observedGeneration: 1,
  lastTransitionTime: "2026-01-01T00:00:00Z",
  reason: "Progressing",
  message: "on its way",
};
const accepted: Condition = { ...ready, type: "Accepted", status: "True" };

const cases: readonly { name: string; next: Judgement; time: string }[] = [
  {
    name: "keeps the time when only reason and message change",
    next: { ...ready, reason: "Invalid", message: "no" },
    time: "2026-01-01T00:00:00Z",
  },
  { name: "takes the new time when the status changes", next: { ...ready, status: "True" }, time: noonText },
  { name: "takes the new time for a type that was not there", next: { ...ready, type: "Available" }, time: noonText },
];

for (const { name, next, time } of cases) {
  test(`setCondition() ${name}`, () => {
    const list = setCondition([accepted, ready], next, noon);
    assert.deepEqual(
      list.find(({ type }) => type === next.type),
      { ...next, lastTransitionTime: time },
    );
  });
}

test("setCondition() leaves the order and every other entry as they are", () => {
  const list = setCondition([accepted, ready], { ...ready, status: "True" }, noon);
  assert.deepEqual(
    list.map(({ type }) => type),
    ["Accepted", "Ready"],
  );
  assert.equal(list[0], accepted);
});

test("setCondition() does not touch the list it is given", () => {
  const list = [ready];
  setCondition(list, { ...ready, status: "True" }, noon);
  assert.deepEqual(list, [ready]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { secretOf } from "../../../test/support/operatorobjects.ts";
import { RejectedError } from "../kube.ts";
import { type Changes, Merges } from "./merges.ts";

const shard = secretOf({ name: "outbound-domains-07", values: {} });

/** A Secret that takes so many characters; each write waits for a turn of the loop. */
function shelf(room: number): {
  readonly merges: Merges;
  readonly writes: string[];
  readonly data: Map<string, string>;
} {
  const data = new Map<string, string>();
  const writes: string[] = [];
  let underWay = 0;
  const merges = new Merges(async (_secret: typeof shard, changes: Changes) => {
    underWay += 1;
    assert.equal(underWay, 1, "two writes of one Secret at a time");
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
    writes.push(Object.keys(changes).join());
    const next = new Map([...data, ...Object.entries(changes)]);
    const size = [...next.values()].reduce((sum, text) => sum + (text ?? "").length, 0);
    if (size > room) throw new RejectedError("data: Too long");
    for (const [key, text] of Object.entries(changes)) data.set(key, text ?? "");
  });
  return { merges, writes, data };
}

test("changes that wait for their turn go together", async () => {
  const { merges, writes, data } = shelf(100);
  await Promise.all(["a", "b", "c"].map((key) => merges.merge(shard, { [key]: "1234" })));
  assert.deepEqual(writes, ["a,b,c"]);
  await merges.merge(shard, { d: "1" });
  assert.deepEqual([...data.keys()], ["a", "b", "c", "d"]);
});

test("of changes that are refused together each goes alone, and only that which does not fit fails", async () => {
  const { merges, writes, data } = shelf(10);
  const sent = ["a", "large", "b"].map((key) => merges.merge(shard, { [key]: key === "large" ? "12345678" : "1234" }));
  const [a, large, b] = await Promise.allSettled(sent);
  assert.deepEqual([a?.status, large?.status, b?.status], ["fulfilled", "rejected", "fulfilled"]);
  assert.ok(large?.status === "rejected" && large.reason instanceof RejectedError);
  assert.deepEqual(writes, ["a,large,b", "a", "large", "b"]);
  assert.deepEqual([...data.keys()], ["a", "b"]);
});

test("a single change that is refused is sent once", async () => {
  const { merges, writes } = shelf(1);
  await assert.rejects(merges.merge(shard, { a: "12" }), RejectedError);
  assert.deepEqual(writes, ["a"]);
});

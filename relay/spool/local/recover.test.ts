import assert from "node:assert/strict";
import { test } from "node:test";
import { spoolIdOf } from "../message/id.ts";
import { recoverBodies } from "./recover.ts";

const kept = spoolIdOf(1_700_000_000_000, Uint8Array.of(1, 2, 3, 4, 5, 6));
const orphan = spoolIdOf(1_700_000_000_001, Uint8Array.of(9, 9, 9, 9, 9, 9));

const rows = [
  { name: "keeps a body whose message is committed", names: [kept], committed: [kept], actions: [] },
  {
    name: "discards a body that was never acknowledged",
    names: [kept, orphan],
    committed: [kept],
    actions: [{ kind: "discard", name: orphan }],
  },
  {
    name: "moves aside what it does not know",
    names: ["lost+found", kept],
    committed: [kept],
    actions: [{ kind: "quarantine", name: "lost+found" }],
  },
  {
    name: "moves aside what may be the body of a message that cannot be read",
    names: [kept, orphan],
    committed: [kept],
    complete: false,
    actions: [{ kind: "quarantine", name: orphan }],
  },
  {
    name: "names a message whose body is gone",
    names: [],
    committed: [kept],
    actions: [{ kind: "missing", id: kept }],
  },
] as const;

for (const row of rows) {
  test(`recoverBodies() ${row.name}`, () => {
    assert.deepEqual(recoverBodies(row.names, { ids: row.committed, complete: !("complete" in row) }), row.actions);
  });
}

import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AuditLog } from "./auditlog.ts";

const record = (name: string): string =>
  JSON.stringify({ verb: "get", user: { username: "u" }, objectRef: { resource: "secrets", namespace: "n", name } });

test("an audit log is read on where it was read last, from where the file begins", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "audit-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "audit.log");
  writeFileSync(path, `${record("of another file")}\n`);
  const log = new AuditLog(path, statSync(path).size);
  const names = (): readonly string[] => log.entries().map(({ name }) => name);
  assert.deepEqual(names(), []);
  appendFileSync(path, `${record("a")}\n${record("bücher").slice(0, -8)}`);
  assert.deepEqual(names(), ["a"]);
  appendFileSync(path, `${record("bücher").slice(-8)}\n`);
  assert.deepEqual(names(), ["a", "bücher"]);
  assert.deepEqual(names(), ["a", "bücher"]);
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { readContainerLimits } from "./containerlimits.ts";

const machine = availableParallelism();

const cases: readonly (readonly [name: string, files: Readonly<Record<string, string>>, cores: number])[] = [
  ["half a core", { "cpu.max": "50000 100000\n" }, 0.5],
  ["no quota", { "cpu.max": "max 100000\n" }, machine],
  ["more than the machine has", { "cpu.max": "100000000 100000\n" }, machine],
  ["the first version", { "cpu/cpu.cfs_quota_us": "25000\n", "cpu/cpu.cfs_period_us": "100000\n" }, 0.25],
  [
    "the first version without a quota",
    { "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n" },
    machine,
  ],
  ["no control groups", {}, machine],
  ["a file of something else", { "cpu.max": "\n" }, machine],
];

for (const [name, files, cores] of cases) {
  test(`readContainerLimits(): ${name}`, (t) => {
    const root = mkdtempSync(join(tmpdir(), "cgroup-"));
    t.after(() => rmSync(root, { recursive: true }));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const limits = readContainerLimits(root);
    assert.equal(limits.cpuCores, cores);
    assert.ok(limits.memoryBytes > 0 && limits.memoryBytes <= totalmem(), String(limits.memoryBytes));
  });
}

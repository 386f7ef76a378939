import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { release } from "./release.ts";

const root = join(import.meta.dirname, "..");

test("program, package and chart are of one release", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
  const chart = parse(readFileSync(join(root, "charts/mailboat/Chart.yaml"), "utf8")) as {
    readonly appVersion: string;
  };
  assert.deepEqual([release, release], [version, chart.appVersion]);
});

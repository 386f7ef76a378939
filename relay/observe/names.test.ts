import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { attribute, eventName, spanName } from "./names.ts";

test("docs/tracing.md has every span, event and attribute of relays, and none that does not exist", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/tracing.md"), "utf8");
  // The operator's own are checked where they are named.
  const [before = "", section = ""] = page.split("## What the operator does\n");
  const relays = before + section.slice(section.indexOf("\n## "));
  const rows = new Set([...relays.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]));
  const names = [spanName, eventName, attribute].flatMap((table) => Object.values<string>(table));
  assert.deepEqual(rows, new Set(names));
});

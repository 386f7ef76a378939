/** The rules of Grafana's dashboard-linter, and those of our house, over every dashboard. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { buildDashboard } from "./dashboard.ts";
import { dashboards } from "./dashboards.ts";

const panelSchema = z.object({
  type: z.string(),
  title: z.string(),
  description: z.string().min(20),
  datasource: z.object({ uid: z.literal("${datasource}") }),
  gridPos: z.object({ h: z.int().min(1), w: z.int().min(1).max(24), x: z.int().min(0), y: z.int().min(0) }),
  fieldConfig: z.object({ defaults: z.object({ unit: z.string().min(1) }) }),
  targets: z.array(z.object({ refId: z.string(), expr: z.string(), legendFormat: z.string().min(1) })).min(1),
});
const dashboardSchema = z.object({
  uid: z.string(),
  title: z.string().startsWith("Mailboat / "),
  editable: z.literal(false),
  templating: z.object({
    list: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        label: z.string(),
        query: z.union([z.string(), z.object({ query: z.string() })]),
        refresh: z.int().optional(),
        allValue: z.string().optional(),
        multi: z.boolean(),
      }),
    ),
  }),
  panels: z.array(z.looseObject({ type: z.string() })),
});

const counter = /mailboat_\w+_total|\w+_seconds_(?:bucket|count|sum)\b|process_cpu_seconds_total/g;

for (const words of dashboards) {
  const built: unknown = JSON.parse(JSON.stringify(buildDashboard(words)));
  const dashboard = dashboardSchema.parse(built);
  const panels = dashboard.panels.filter(({ type }) => type !== "row").map((panel) => panelSchema.parse(panel));

  test(`${dashboard.title}: variables for source, job and instance that follow the time range`, () => {
    const variables = new Map(dashboard.templating.list.map((each) => [each.name, each]));
    assert.equal(variables.get("datasource")?.query, "prometheus");
    assert.equal(variables.get("traces")?.query, "tempo");
    for (const name of ["job", "instance"]) {
      const variable = variables.get(name);
      assert.deepEqual([variable?.type, variable?.multi, variable?.allValue], ["query", true, ".+"]);
    }
    for (const { name, type, refresh } of variables.values()) if (type === "query") assert.equal(refresh, 2, name);
  });

  test(`${dashboard.title}: panels do not overlap and have titles of their own`, () => {
    const titles = panels.map(({ title }) => title);
    assert.equal(new Set(titles).size, titles.length);
    const cells = panels.flatMap(({ title, gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => ({ title, at: `${x + (cell % w)},${y + Math.floor(cell / w)}` })),
    );
    const taken = new Map<string, string>();
    for (const { title, at } of cells) {
      assert.equal(taken.get(at), undefined, `${title} at ${at}`);
      taken.set(at, title);
    }
  });

  test(`${dashboard.title}: expressions are bound to job and instance, and counters are rated`, () => {
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const selectors = expr.match(/\{[^}]*\}/g) ?? [];
        for (const selector of selectors)
          assert.match(selector, /job=~"\$job", instance=~"\$instance"/, `${title}: ${selector}`);
        for (const match of expr.matchAll(counter)) {
          const before = expr.slice(0, match.index);
          assert.match(before, /(?:rate|increase)\($/, `${title}: ${match[0]} without rate`);
        }
        for (const [range] of expr.matchAll(/\[[^\]]+\]/g))
          assert.match(range, /^\[(?:\$__rate_interval|\d+h)\]$/, `${title}: ${range}`);
      }
    }
  });
}

test("every dashboard has a uid and a title of its own", () => {
  for (const key of ["uid", "title"] as const)
    assert.equal(new Set(dashboards.map((each) => each[key])).size, dashboards.length);
});

/** The rules of Grafana's dashboard-linter, and those of our house, over every dashboard. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { lookOf, organizeOf, type PanelJson, readDashboard, stepColour } from "../../test/support/dashboards/json.ts";
import { buildDashboard } from "./dashboard.ts";
import { dashboards } from "./dashboards.ts";
import { meanings } from "./meanings.ts";
import { statusWords } from "./statuswords.ts";
import { inWords, units } from "./units.ts";

const panelSchema = z.object({
  type: z.string(),
  title: z.string(),
  description: z.string().min(20),
  datasource: z.object({ uid: z.literal("${datasource}") }),
  gridPos: z.object({ h: z.int().min(1), w: z.int().min(1).max(24), x: z.int().min(0), y: z.int().min(0) }),
  fieldConfig: z.object({
    defaults: z.object({
      unit: z.string().min(1),
      thresholds: z.object({ steps: z.array(z.object({ value: z.number().nullable(), color: z.string() })) }),
      custom: z.object({ thresholdsStyle: z.object({ mode: z.string() }).optional() }).optional(),
    }),
  }),
  targets: z
    .array(
      z.object({
        refId: z.string(),
        expr: z.string(),
        legendFormat: z.string().min(1),
        datasource: z.object({ uid: z.literal("${datasource}") }),
        interval: z.literal("30s"),
        instant: z.boolean().optional(),
      }),
    )
    .min(1),
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
  annotations: z.object({
    list: z.array(
      z.object({ name: z.string(), expr: z.string(), datasource: z.object({ uid: z.literal("${datasource}") }) }),
    ),
  }),
  links: z.array(z.object({ title: z.string(), url: z.string().optional() })),
  panels: z.array(z.looseObject({ type: z.string() })),
});

const counter = /mailboat_\w+_total|\w+_seconds_(?:bucket|count|sum)\b|process_cpu_seconds_total/g;
/** Units of Grafana's own; others carry their words with them. */
const known = new Set(["s", "percentunit", "bytes", "Bps", "reqps", "short", "dateTimeFromNow"]);

for (const words of dashboards) {
  const built: unknown = JSON.parse(JSON.stringify(buildDashboard(words)));
  const dashboard = dashboardSchema.parse(built);
  const panels = dashboard.panels.filter(({ type }) => type !== "row").map((panel) => panelSchema.parse(panel));
  const read = readDashboard(built).panels.filter((panel): panel is PanelJson => panel.type !== "row");

  test(`${dashboard.title}: variables for sources, cluster, job and pod that follow the time range`, () => {
    const variables = new Map(dashboard.templating.list.map((each) => [each.name, each]));
    assert.equal(variables.get("datasource")?.query, "prometheus");
    assert.equal(variables.get("traces")?.query, "tempo");
    assert.equal(variables.get("logs")?.query, "loki");
    // Every process of the cluster has a job and a memory: All must stay with ours, by the relay's label or by the jobs offered.
    const all = { cluster: ".*", job: words.program === "relay" ? ".+" : undefined, pod: ".*" } as const;
    for (const [name, value] of Object.entries(all)) {
      const variable = variables.get(name);
      assert.deepEqual([variable?.type, variable?.multi, variable?.allValue], ["query", true, value], name);
    }
    const relay = variables.get("relay");
    if (words.program === "relay") assert.equal(relay?.multi === false ? ".+" : relay?.allValue, ".+");
    for (const { name, type, refresh } of variables.values()) if (type === "query") assert.equal(refresh, 2, name);
  });

  test(`${dashboard.title}: panels do not overlap, fill their lines and have titles of their own`, () => {
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
    for (const [y, line] of Map.groupBy(panels, ({ gridPos }) => gridPos.y))
      assert.equal(
        line.reduce((sum, { gridPos }) => sum + gridPos.w, 0),
        24,
        `${line[0]?.title} at ${y}`,
      );
  });

  test(`${dashboard.title}: expressions are bound to what is chosen, and counters are rated`, () => {
    for (const { title, targets } of panels) for (const { expr } of targets) checkExpression(title, expr);
  });

  test(`${dashboard.title}: a figure is that of now, and no data is no good news`, () => {
    for (const [index, { type, title, targets }] of panels.entries()) {
      assert.equal(
        targets.every(({ instant }) => instant === (type === "timeseries" ? undefined : true)),
        true,
        title,
      );
      const panel = read[index];
      if (type !== "stat" || panel === undefined) continue;
      assert.notEqual(stepColour(lookOf(panel, "").steps, undefined), "green", title);
      for (const { expr } of targets) assert.doesNotMatch(expr, /^[^+]*or vector\(0\)$/, title);
    }
  });

  test(`${dashboard.title}: each panel has a unit, and tables have headers in words`, () => {
    for (const panel of read) {
      const { unit } = panel.fieldConfig.defaults;
      assert.ok(known.has(unit) || unit.startsWith("suffix:"), `${panel.title}: ${unit}`);
      if (
        panel.targets.some(({ expr }) => /^sum(?: by \([^)]*\))? ?\(rate\([^/]*$/.test(expr)) &&
        panel.type !== "table"
      )
        assert.match(unit, /\/s$|^reqps$|^Bps$|cores$/, panel.title);
      if (panel.type === "table") assert.deepEqual(rawHeaders(panel), [], panel.title);
    }
  });

  test(`${dashboard.title}: limits that a description names are drawn, and those that are drawn are named`, () => {
    for (const panel of panels) {
      const { thresholds, custom, unit } = panel.fieldConfig.defaults;
      const limits = thresholds.steps.filter(({ value }) => value !== null && value !== 0);
      const said = panel.description;
      if (panel.type === "timeseries")
        assert.equal(custom?.thresholdsStyle?.mode, limits.length === 0 ? "off" : "dashed", panel.title);
      for (const { value, color } of limits) {
        const inText = inWords(value ?? 0, unit);
        if (color !== "green")
          assert.match(said, new RegExp(`${color === "red" ? "[Rr]ed" : "[Oo]range"} (?:from|below) `), panel.title);
        assert.ok(said.includes(inText), `${panel.title}: ${inText} is not in "${said}"`);
      }
      if (
        panel.type !== "table" &&
        /\b[Oo]range|\b[Aa]bove \d|\b[Bb]elow \d/.test(said) &&
        panel.title !== "In and out"
      )
        assert.ok(limits.length > 0, `${panel.title}: ${said}`);
    }
  });

  test(`${dashboard.title}: what fires, starts and changes is marked on every graph`, () => {
    const marks = new Map(dashboard.annotations.list.map(({ name, expr }) => [name, expr]));
    const expected = words.program === "relay" ? ["Alerts", "Starts", "Configuration"] : ["Alerts", "Starts"];
    assert.deepEqual([...marks.keys()], expected);
    assert.match(marks.get("Alerts") ?? "", /ALERTS\{.*alertname=~"Mailboat\.\+", alertstate="firing"\}/);
    for (const expr of marks.values()) assert.match(expr, /cluster=~"\$cluster"/);
  });

  test(`${dashboard.title}: links lead to the chosen logs and traces`, () => {
    for (const [title, source] of [
      ["Traces", "${traces}"],
      ["Logs", "${logs}"],
    ] as const) {
      const url = dashboard.links.find((each) => each.title === title)?.url ?? "";
      assert.equal(panesOf(url).datasource, source);
    }
  });
}

function checkExpression(title: string, expr: string): void {
  const selectors = expr.match(/\w*\{[^}]*\}/g) ?? [];
  assert.ok(selectors.length > 0, title);
  for (const selector of selectors) assert.match(selector, bindingOf(selector), `${title}: ${selector}`);
  for (const match of expr.matchAll(counter)) {
    const before = expr.slice(0, match.index);
    // countedIn() adds the first value of a series: that one alone is read as it is.
    assert.match(before, /(?:rate|increase|min_over_time)\($|\]\) unless $/, `${title}: ${match[0]} without rate`);
    if (/min_over_time\($|unless $/.test(before)) assert.match(before, /increase\(/, title);
  }
  for (const [range] of expr.matchAll(/\[[^\]]+\]/g))
    assert.match(range, /^\[(?:\$__rate_interval|\d+h)\]$/, `${title}: ${range}`);
}

/** Which matchers a selector must have, by whose series it is. */
function bindingOf(selector: string): RegExp {
  if (selector.startsWith("ALERTS{")) return /cluster=~"\$cluster"/;
  if (selector.startsWith("mailboat_operator_relay_pods{") && selector.includes("relay_namespace"))
    return /cluster=~"\$cluster", relay_namespace=~"\$namespace", mailboat_dev_relay=~"\$relay"/;
  return /cluster=~"\$cluster", job=~"\$job", (?:namespace=~"\$namespace", mailboat_dev_relay=~"\$relay", )?pod=~"\$pod"/;
}

/** Labels that a table's expressions keep and its columns do not name. */
function rawHeaders(panel: PanelJson): readonly string[] {
  const { renameByName, excludeByName } = organizeOf(panel);
  const kept = panel.targets.flatMap(({ expr }) => {
    const [, by = ""] = /(?:sum|max|min|count) by \(([^)]*)\)/.exec(expr) ?? [];
    return by.split(/, ?/).filter((label) => label !== "");
  });
  const values = panel.targets.map(({ refId }) => (panel.targets.length === 1 ? "Value" : `Value #${refId}`));
  const headers = [...kept, ...values, "Time"]
    .filter((field) => excludeByName[field] !== true)
    .map((field) => renameByName[field] ?? field);
  assert.ok(kept.length > 0, panel.title);
  return headers.filter((header) => !/^[A-Z][a-z0-9 ]+$/.test(header));
}

interface Pane {
  readonly datasource: string;
  readonly query: string;
}

function panesOf(url: string): Pane {
  const panes: unknown = JSON.parse(new URL(url, "http://grafana.example").searchParams.get("panes") ?? "");
  const { mailboat } = z
    .object({
      mailboat: z.object({
        datasource: z.string(),
        queries: z.array(z.object({ expr: z.string().optional(), query: z.string().optional() })).length(1),
      }),
    })
    .parse(panes);
  return { datasource: mailboat.datasource, query: mailboat.queries[0]?.expr ?? mailboat.queries[0]?.query ?? "" };
}

function panelsOf(): readonly (readonly [dashboard: string, panel: PanelJson])[] {
  return dashboards.flatMap((words) => {
    const { title, panels } = readDashboard(buildDashboard(words));
    return panels.flatMap((panel) => (panel.type === "row" ? [] : [[title, panel] as const]));
  });
}

test("every dashboard has a uid and a title of its own", () => {
  for (const key of ["uid", "title"] as const)
    assert.equal(new Set(dashboards.map((each) => each[key])).size, dashboards.length);
});

test("every series that is called delivered, captured, deferred or failed has one colour", () => {
  const wanted = { delivered: "green", captured: "purple", deferred: "orange", failed: "red" } as const;
  const legends = panelsOf().flatMap(([dashboard, panel]) =>
    panel.type === "table" ? [] : panel.targets.map(({ legendFormat }) => ({ dashboard, panel, legendFormat })),
  );
  for (const [word, expected] of Object.entries(wanted)) {
    const meant = legends.filter(
      ({ legendFormat }) => legendFormat.split(/[ :]/).includes(word) || legendFormat.includes("{{outcome}}"),
    );
    assert.ok(meant.length > 2, word);
    for (const { dashboard, panel, legendFormat } of meant) {
      const name = legendFormat.replace("{{outcome}}", word).replaceAll(/\{\{\w+\}\}/g, "250");
      const { colour } = lookOf(panel, name);
      assert.match(colour.mode, /^(?:fixed|shades)$/, `${dashboard} / ${panel.title}: ${name}`);
      assert.equal(colour.fixedColor, expected, `${dashboard} / ${panel.title}: ${name}`);
    }
    assert.equal(meanings[word]?.colour, expected);
  }
});

test("where lower is worse the limits descend: red, orange, green", () => {
  const lower = [
    "Mailboat / Fleet / Within 5 minutes",
    "Mailboat / Fleet / Within 5 minutes, over time",
    "Mailboat / Fleet / Pods ready",
    "Mailboat / Relay / Within 5 minutes",
    "Mailboat / Relay / Pods ready",
    "Mailboat / Relay / Certificate ends in",
    "Mailboat / Operator / Leaders",
    "Mailboat / Operator / Relay pods ready",
  ];
  const found = new Map(panelsOf().map(([dashboard, panel]) => [`${dashboard} / ${panel.title}`, panel]));
  for (const name of lower) {
    const steps = found.get(name)?.fieldConfig.defaults.thresholds.steps ?? [];
    const isWhole = name.endsWith("Leaders");
    const isRedWithoutValue = isWhole || /over time$|Certificate ends in$/.test(name);
    const colours = steps.map(({ color }) => color);
    const [none, ...limits] = steps.map(({ value }) => value);
    assert.equal(none, null);
    if (!isRedWithoutValue) assert.deepEqual([colours.shift(), limits.shift()], ["text", 0], name);
    assert.deepEqual(colours, isWhole ? ["red", "green"] : ["red", "orange", "green"], name);
    const [first, second] = limits;
    assert.ok(isWhole ? first === 1 : (first ?? Infinity) < (second ?? 0), name);
  }
  for (const [name, { fieldConfig }] of found) {
    const colours = fieldConfig.defaults.thresholds.steps.map(({ color }) => color);
    if (colours[0] === "red") assert.match(name, /Leaders$|Certificate ends in$|over time$/);
  }
});

test("an alert of Fleet names its relay as another of the same name cannot be called", () => {
  const [, alerts] =
    panelsOf().find(([dashboard, { title }]) => dashboard.endsWith("Fleet") && title === "Alerts") ?? [];
  assert.ok(alerts !== undefined);
  const { renameByName } = organizeOf(alerts);
  const place = { cluster: "Cluster", namespace: "Namespace", mailboat_dev_relay: "Relay" };
  for (const [label, header] of Object.entries(place)) {
    assert.equal(renameByName[label], header);
    assert.match(alerts.targets[0]?.expr ?? "", new RegExp(`^max by \\([^)]*\\b${label}\\b`));
  }
});

test("a refusal is told in words, and links to the lines and traces of its destination", () => {
  const [, refusals] = panelsOf().find(([, { title }]) => title === "Last refusals") ?? [];
  assert.ok(refusals !== undefined);
  const words = lookOf(refusals, "In words").mappings[0]?.options ?? {};
  assert.equal(words["5.1.1"]?.text, "5.1.1 no such mailbox");
  assert.equal(Object.keys(words).length, Object.keys(statusWords()).length);
  const links = refusals.fieldConfig.overrides
    .find(({ matcher }) => matcher.options === "Destination")
    ?.properties.find(({ id }) => id === "links")?.value;
  const [lines, traces] = z.array(z.object({ url: z.string() })).parse(links);
  const filledIn = (url = ""): Pane =>
    panesOf(url.replaceAll("${__data.fields.Destination}", "mx.example").replaceAll("${namespace:regex}", "(a|b)"));
  assert.deepEqual(filledIn(lines?.url), {
    datasource: "${logs}",
    query: '{container="relay", namespace=~"(a|b)"} |= `"recipientDomain":"mx.example"` |~ `"msg":"(deferred|failed)"`',
  });
  assert.deepEqual(filledIn(traces?.url), {
    datasource: "${traces}",
    query: '{resource.service.name="mailboat-relay" && span.mailboat.recipient.domains="mx.example"}',
  });
});

test("a limit is said as people say it", () => {
  const said = [
    [0.05, units.seconds, "50 ms"],
    [300, units.seconds, "5 min"],
    [3_600, units.seconds, "1 h"],
    [14 * 86_400, units.seconds, "14 days"],
    [0.995, units.share, "99.5 %"],
    [10_000, units.number, "10,000"],
    [1, units.number, "1"],
    [2, units.cores, "2 cores"],
  ] as const;
  for (const [value, unit, wanted] of said) assert.equal(inWords(value, unit), wanted);
});

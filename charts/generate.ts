/**
 * Writes what the chart carries and TypeScript knows: the dashboards, the alert rules, its README, the names of its values and their defaults. With `--check` nothing
 * is written, and stale files end with status 1 and the command that mends them.
 */
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { ruleGroups } from "./alerts/rules.ts";
import { buildDashboard } from "./dashboards/dashboard.ts";
import { dashboards } from "./dashboards/dashboards.ts";
import { renderValueNames } from "./valuenames.ts";
import { renderValuesReference } from "./valuesreference.ts";

const root = join(import.meta.dirname, "mailboat");
const comment = "# Generated from charts/alerts/ by `make generate`; do not edit.\n";
/** Helm gives templates every file of a chart but values.yaml. */
const defaultsComment = "# Generated from values.yaml by `make generate`; do not edit.\n";

/** Text by path below the chart. The same words give the same bytes. */
export function renderChartFiles(): ReadonlyMap<string, string> {
  const files = dashboards.map((words) => {
    const name = words.uid.replace(/^mailboat-/, "");
    return [`dashboards/${name}.json`, `${JSON.stringify(buildDashboard(words), undefined, 2)}\n`] as const;
  });
  const values = readFileSync(join(root, "values.yaml"), "utf8");
  const schema = readFileSync(join(root, "values.schema.json"), "utf8");
  return new Map([
    ...files,
    ["alerts/rules.yaml", comment + stringify({ groups: ruleGroups }, { lineWidth: 0 })],
    ["README.md", renderValuesReference(values)],
    ["defaults.yaml", defaultsComment + stringify(parse(values), { lineWidth: 0 })],
    ["valuenames.txt", renderValueNames(schema, values)],
  ]);
}

async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, text] of renderChartFiles()) {
    const written = await readFile(join(root, path), "utf8").catch(() => undefined);
    if (written !== text) stale.push(path);
  }
  return stale;
}

async function generate(): Promise<void> {
  for (const [path, text] of renderChartFiles()) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (!args.includes("--check")) {
    await generate();
    return 0;
  }
  const stale = await staleFiles();
  for (const path of stale) process.stderr.write(`charts/mailboat/${path} is stale: run \`make generate\`\n`);
  return stale.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

/**
 * Writes what comes from the schemas: the CustomResourceDefinitions, alone and as templates of the chart, and the reference
 * pages. With `--check` nothing is written, and stale files end with status 1 and the command that mends them.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { customResourceDefinitions } from "../api/crd/definition.ts";
import { chartTemplate } from "./charttemplate.ts";
import { mailRelayPage, senderDomainPage } from "./reference.ts";

const root = join(import.meta.dirname, "..");
const chartFolder = "charts/mailboat/templates/crds";
/** The rules over networks use CEL functions that came with Kubernetes 1.31. */
const comment = [
  "# Generated from the schemas in api/ by `make generate`; do not edit.",
  "# Needs Kubernetes 1.31 or later.",
  "",
].join("\n");

/** Text by path below the repository. The same schemas give the same bytes. */
export async function renderGenerated(): Promise<ReadonlyMap<string, string>> {
  const definitions = customResourceDefinitions().map((definition) => {
    const file = `${definition.metadata.name.replace(/\..*/, "")}.yaml`;
    const text = stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false });
    return [[`crds/${file}`, comment + text] as const, [`${chartFolder}/${file}`, chartTemplate(text)] as const];
  });
  return new Map([
    ...definitions.flat(),
    ["api/mailrelay.md", mailRelayPage(await readExample("mailrelay-full.yaml"))],
    ["api/senderdomain.md", senderDomainPage(await readExample("senderdomain-full.yaml"))],
  ]);
}

/** Paths whose file is not what the schemas give now. */
export async function staleFiles(): Promise<string[]> {
  const stale: string[] = [];
  for (const [path, text] of await renderGenerated()) {
    const written = await readFile(join(root, path), "utf8").catch(() => undefined);
    if (written !== text) stale.push(path);
  }
  return stale;
}

function readExample(name: string): Promise<string> {
  return readFile(join(root, "examples/valid", name), "utf8");
}

async function generate(): Promise<void> {
  for (const [path, text] of await renderGenerated()) await writeFile(join(root, path), text);
}

async function main(args: readonly string[]): Promise<number> {
  if (!args.includes("--check")) {
    await generate();
    return 0;
  }
  const stale = await staleFiles();
  for (const path of stale) process.stderr.write(`${path} is not what the schemas give: run \`make generate\`\n`);
  return stale.length === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

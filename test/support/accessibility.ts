/**
 * Faults of a page for who cannot see it or has no mouse, found by a scanner that knows WCAG: in what is shown now, with
 * the colours of now.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { z } from "zod";

const engineFile = createRequire(import.meta.url).resolve("accessibility-checker-engine/ace.js");
const guidelines = ["WCAG_2_2", "WCAG_2_1"];

const reports = z.array(
  z.object({
    ruleId: z.string(),
    /** What kind of rule, and how it went. */
    value: z.tuple([z.string(), z.string()]),
    message: z.string(),
    snippet: z.string(),
  }),
);

/** Run in the page. What only a person can judge (POTENTIAL) is none of its faults. */
const scan = `(async () => {
  const { results } = await new ace.Checker().check(document, ${JSON.stringify(guidelines)});
  return results.map(({ ruleId, value, message, snippet }) => ({ ruleId, value, message, snippet }));
})()`;

/** One line for each; none when all is well. */
export async function faultsOf(page: Page): Promise<readonly string[]> {
  const isThere = await page.evaluate("typeof ace === 'object'");
  if (isThere !== true) await page.evaluate(readFileSync(engineFile, "utf8"));
  const results = reports.parse(await page.evaluate(scan));
  if (results.length === 0) throw new Error("the scanner looked at nothing");
  return results
    .filter(({ value: [level, outcome] }) => level === "VIOLATION" && outcome === "FAIL")
    .map(({ ruleId, message, snippet }) => `${ruleId}: ${message} ${snippet}`);
}

/**
 * The checks that need no test: types, lint rules, format, generated files. Each counts as one and prints only when it
 * fails.
 */
import { runCommand } from "./command.ts";
import { nothing, type Outcome } from "./outcome.ts";

export interface Check {
  readonly name: string;
  readonly args: readonly string[];
  /** What a person types to mend it. */
  readonly remedy: string;
}

/** Files that neither changed nor import what changed are known. */
const sinceLastTime = ["--incremental", "--tsBuildInfoFile", "node_modules/.cache/tsc.tsbuildinfo"];

export const checks: readonly Check[] = [
  {
    name: "types",
    args: ["node_modules/typescript/bin/tsc", "-p", ".", ...sinceLastTime],
    remedy: "mend the types above",
  },
  {
    name: "types of the page",
    args: ["node_modules/typescript/bin/tsc", "-p", "local/page/browser"],
    remedy: "mend the types above: they stand in comments, because a browser reads these files as they are",
  },
  {
    name: "lint",
    args: ["node_modules/oxlint/bin/oxlint", "--type-aware", "-f", "unix"],
    remedy: "mend the code above; the rules are in .oxlintrc.json",
  },
  {
    name: "format",
    args: ["test/gate/format.ts"],
    remedy: "run `make format`",
  },
  { name: "generated files", args: ["crds/generate.ts", "--check"], remedy: "run `make generate`" },
  { name: "generated chart files", args: ["charts/generate.ts", "--check"], remedy: "run `make generate`" },
];

export async function runCheck(check: Check): Promise<Outcome> {
  const result = await runCommand(process.execPath, check.args);
  if (result.code === 0) return { ...nothing, passed: 1 };
  return { ...nothing, failures: [{ name: check.name, text: `${result.output.trimEnd()}\n${check.remedy}` }] };
}

/** Where a test file leaves what a person would want to see when it fails; removed by the gate when it passes. */
import { mkdirSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const repositoryRoot: string = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** `file` is a path or a file URL; the directory need not exist. */
export function resultsDirectoryOf(file: string): string {
  return join(repositoryRoot, "test-results", basename(file).replace(/\.test\.ts$/, ""));
}

/** An empty directory of that name below the test file's own. Pass `import.meta.url`. */
export function makeResultsDirectory(file: string, name: string): string {
  const directory = join(resultsDirectoryOf(file), name);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return directory;
}

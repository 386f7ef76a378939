/** The licences of the libraries that a bundle holds: most ask that their text goes wherever the code goes. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const libraryFolder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/** Paths are those of the bundle's sources, relative to the root. */
export async function licenceTexts(root: string, paths: readonly string[]): Promise<string> {
  const folders = new Set(paths.flatMap((path) => libraryFolder.exec(path)?.[1] ?? []));
  const texts: string[] = [];
  for (const folder of [...folders].toSorted()) texts.push(await licenceOf(join(root, folder)));
  return `${texts.join(`\n${"-".repeat(80)}\n`)}`;
}

async function licenceOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
    readonly name: string;
    readonly version: string;
    readonly license: string;
  };
  const files = (await readdir(folder)).filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file)).toSorted();
  const texts = await Promise.all(files.map(async (file) => readFile(join(folder, file), "utf8")));
  return [`${name} ${version}: ${license}`, ...texts.map((text) => text.trim())].join("\n\n") + "\n";
}

/**
 * One bundle per program, as the image holds it: `node image/bundle.ts FOLDER` writes FOLDER/relay, FOLDER/operator and FOLDER/page.
 * Threads of a program are files of their own beside its main.js, and so are the files that a browser gets of the page.
 */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build, type BuildOptions } from "esbuild";
import { licenceTexts } from "./licences.ts";
import { threadsAsFiles } from "./plugins.ts";

const root = join(import.meta.dirname, "..");

/** Sources by program. The first is its main; the others are threads it starts with `new Worker(new URL(...))`. */
const programs = {
  relay: ["relay/main.ts", "relay/spool/local/writer.ts", "relay/spool/local/wal/copier.ts"],
  operator: ["operator/main.ts"],
  page: ["local/captured/main.ts"],
} as const;

export type ProgramName = keyof typeof programs;
export const programNames: readonly ProgramName[] = ["relay", "operator", "page"];

/** What a program reads beside its main.js, as it lies in the sources. */
const filesBeside: Readonly<Partial<Record<ProgramName, string>>> = { page: "local/page/browser" };

/** Some libraries are CommonJS and ask for modules of Node while they run. */
const requireForLibraries =
  'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);';

function optionsOf(name: ProgramName, folder: string) {
  const sources: readonly string[] = programs[name];
  return {
    absWorkingDir: root,
    entryPoints: sources.map((source, index) => ({ in: source, out: index === 0 ? "main" : basename(source, ".ts") })),
    outdir: join(folder, name),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    // Lines and names stay, so that a stack trace in a report can be read.
    minifySyntax: true,
    keepNames: true,
    legalComments: "none",
    metafile: true,
    write: false,
    banner: { js: requireForLibraries },
    plugins: [threadsAsFiles(sources.map((source) => join(root, source)))],
    logLevel: "warning",
  } satisfies BuildOptions;
}

/**
 * esbuild spells the code in ASCII and leaves comments as they are. One letter that is not Latin-1 makes V8 keep the whole source
 * in two bytes a character: 5 MiB more in every process.
 */
function inAscii(text: string): string {
  return text.replaceAll(/[\u0080-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Rejects with esbuild's errors, each with its place. */
export async function bundlePrograms(folder: string): Promise<void> {
  for (const name of programNames) {
    const { metafile, outputFiles } = await build(optionsOf(name, folder));
    await mkdir(join(folder, name), { recursive: true });
    for (const { path, text } of outputFiles) await writeFile(path, inAscii(text));
    const beside = filesBeside[name];
    if (beside !== undefined) await cp(join(root, beside), join(folder, name, basename(beside)), { recursive: true });
    await writeFile(join(folder, name, "package.json"), '{ "type": "module" }\n');
    await writeFile(join(folder, name, "LICENCES"), await licenceTexts(root, Object.keys(metafile.inputs)));
  }
}

async function main(folder: string | undefined): Promise<number> {
  if (folder === undefined) {
    process.stderr.write("usage: node image/bundle.ts FOLDER\n");
    return 2;
  }
  await bundlePrograms(folder);
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv[2]);

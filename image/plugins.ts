/** What esbuild does not do by itself for our programs. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Plugin } from "esbuild";

const threadFile = /new URL\("(\.\/[a-z]+)\.ts", import\.meta\.url\)/g;

/**
 * A thread is named by `new URL("./writer.ts", import.meta.url)`, which esbuild leaves as it is: the bundle has it as
 * writer.js beside main.js. A thread that is not among the sources fails the build, not the program.
 */
export function threadsAsFiles(sources: readonly string[]): Plugin {
  return {
    name: "threads as files",
    setup: (build) => {
      build.onLoad({ filter: /\/relay\/.*\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        const missing = [...text.matchAll(threadFile)]
          .map(([, name = ""]) => join(dirname(path), `${basename(name)}.ts`))
          .filter((thread) => !sources.includes(thread));
        if (missing.length > 0) {
          return {
            errors: missing.map((thread) => ({ text: `${thread} is started as a thread: list it in image/bundle.ts` })),
          };
        }
        return { contents: text.replaceAll(threadFile, 'new URL("$1.js", import.meta.url)'), loader: "ts" };
      });
    },
  };
}

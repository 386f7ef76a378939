/**
 * The page's own files as a browser gets them: as they lie in `browser/`, for there is nothing to build. A name that is
 * none of theirs finds nothing: it is made of letters and an ending, so it leads nowhere else.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const pageFileName = /^[a-z]+\.(css|js|svg)$/;
const types = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
} as const;

export interface Asset {
  readonly type: string;
  readonly text: string;
}

export function readPage(): Promise<string> {
  return readFile(pathOf("page.html"), "utf8");
}

/** Undefined when there is no such file. Read anew each time: who changes the page sees it at once. */
export async function readAsset(name: string): Promise<Asset | undefined> {
  const ending = pageFileName.exec(name)?.[1];
  if (ending !== "css" && ending !== "js" && ending !== "svg") return undefined;
  const text = await readFile(pathOf(name), "utf8").catch(() => undefined);
  return text === undefined ? undefined : { type: types[ending], text };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(`browser/${name}`, import.meta.url));
}

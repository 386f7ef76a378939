/** TypeScript sources as text that rules can be checked on: what is code, what is comment, who imports whom. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { repositoryRoot } from "./results.ts";

export interface SourceImport {
  /** A path from the repository's root for our own files, the specifier for everything else. */
  readonly target: string;
  readonly isOwn: boolean;
  readonly isTypeOnly: boolean;
}

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and the contents of strings blanked; line numbers are kept. */
  readonly code: string;
  readonly imports: readonly SourceImport[];
}

export const sourceFolders = [
  "api",
  "charts",
  "crds",
  "image",
  "local",
  "operator",
  "relay",
  "runtime",
  "test",
] as const;

export function readSources(): readonly SourceFile[] {
  const files = globSync(`{${sourceFolders.join(",")}}/**/*.ts`, { cwd: repositoryRoot }).toSorted();
  return files.map((path) => {
    const text = readFileSync(join(repositoryRoot, path), "utf8");
    return { path, text, code: blank(text, "strings"), imports: importsOf(path, text) };
  });
}

const importStatement =
  /(?:^|[;\n}])\s*(?:import|export)\s+(type\s)?(?:[\w*\s{},$]+?\sfrom\s*)?["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']\s*\)|new\s+Worker\(\s*new\s+URL\(\s*["'](\.[^"'\n]+\.ts)["']/g;

export function importsOf(path: string, text: string): readonly SourceImport[] {
  return [...blank(text, "comments").matchAll(importStatement)].map((match) => {
    const specifier = match[2] ?? match[3] ?? match[4] ?? "";
    const isOwn = specifier.startsWith(".");
    return {
      target: isOwn ? normalize(join(dirname(path), specifier)) : specifier,
      isOwn,
      isTypeOnly: match[1] !== undefined,
    };
  });
}

/** A literal regular expression can start where an operand is expected, a division cannot. */
const beforeRegex = /(?:^|[(,=:[!&|?{};~+\-*%<>]|\b(?:return|typeof|case|in|of))\s*$/;
const token =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\[\s\S])*`|\/(?![/*])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g;

function blank(text: string, what: "comments" | "strings"): string {
  return text.replace(token, (found, offset: number) => {
    if (found.startsWith("//") || found.startsWith("/*")) return found.replace(/[^\n]/g, " ");
    if (found.startsWith("/") && !beforeRegex.test(text.slice(Math.max(0, offset - 40), offset))) return found;
    return what === "comments" ? found : found.replace(/[^\n]/g, "_");
  });
}

/**
 * Which test files may run in one process: starting one and loading what a test needs takes longer than most of them. Those may whose
 * tests, with all that they import, touch no socket, process, thread or database: there is nothing that one of them could leave open
 * for the next, and what it could change all the same is asked for after each (together.ts).
 */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export interface Shared {
  /** Files of one folder at the top. */
  readonly folder: string;
  readonly files: readonly string[];
}

export interface Sharing {
  readonly together: readonly Shared[];
  readonly apart: readonly string[];
}

/** Paths from the repository's root; `read` gives a file's text, undefined where there is none. */
export function shareProcesses(files: readonly string[], read: (path: string) => string | undefined): Sharing {
  const imports = new Map<string, Imports>();
  const importsOf = (path: string): Imports => {
    const found = imports.get(path) ?? importsIn(path, read(path) ?? "");
    imports.set(path, found);
    return found;
  };
  const mayShare = (file: string): boolean => reached(file, importsOf).every((path) => !importsOf(path).isBound);
  const sharing = files.filter(mayShare);
  const groups = Map.groupBy(sharing, (file) => file.split("/")[0] ?? file);
  return {
    together: [...groups].map(([folder, group]) => ({ folder, files: group })),
    apart: files.filter((file) => !sharing.includes(file)),
  };
}

export function readIn(root: string): (path: string) => string | undefined {
  return (path) => {
    try {
      return readFileSync(join(root, path), "utf8");
    } catch {
      return undefined;
    }
  };
}

interface Imports {
  readonly own: readonly string[];
  /** Whether it imports something that outlives a test. */
  readonly isBound: boolean;
}

const outlasting = /^node:(?:child_process|cluster|dgram|dns|http|https|http2|inspector|sqlite|tls|worker_threads)\b/;
/** An import that is there when the code runs: what it brings, and from where. */
const importing =
  /^(?:import|export)\s(?!type\b)([^;"']*?)from\s*"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"|new URL\(\s*"(\.[^"]+\.ts)"/gm;
/** Of the network, what asks no network. */
const addressWords = /^\s*\{[\s,]*(?:(?:type\s+\w+|isIP|isIPv4|isIPv6|BlockList)[\s,]*)+\}\s*$/;
const watching = /\b(?:un)?watch(?:File)?\b/;
/** Changed for all who come after. */
const changing =
  /\bprocess\.(?:chdir|exitCode\s*=|env(?:\.\w+|\[[^\]]+\])\s*\??\??=[^=])|\bmock\.(?:timers|method|module)\b|\bregisterHooks\b|\bglobalThis\.\w+\s*=[^=]/;

function importsIn(path: string, text: string): Imports {
  const own: string[] = [];
  let isBound = changing.test(text);
  for (const [, names = "", ...targets] of text.matchAll(importing)) {
    const target = targets.join("");
    if (target.startsWith(".")) own.push(normalize(join(dirname(path), target)));
    else if (outlasting.test(target) || (target === "node:net" && !addressWords.test(names))) isBound = true;
    else if (target.startsWith("node:fs") && watching.test(names)) isBound = true;
  }
  return { own, isBound };
}

/** The file and all that is loaded with it. */
function reached(file: string, importsOf: (path: string) => Imports): readonly string[] {
  const found = new Set([file]);
  for (const path of found) for (const next of importsOf(path).own) found.add(next);
  return [...found];
}

/**
 * `node test/gate/format.ts`: whether every file is formatted as `make format` would. A text that was found right is right in every
 * checkout of this machine, wherever it lies: what prettier itself remembers is of one place alone, and looking anew is half of all
 * that `make check` costs.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as prettier from "prettier";
import { z } from "zod";
import { cacheFolder } from "../support/goprogram.ts";
import { repositoryRoot } from "../support/results.ts";

/** Of some twenty states of the repository. */
const remembered = 40_000;
const kept = z.array(z.string());

/** Texts that were found right, each by its digest: the newest last. What cannot be read or written is only slower. */
class Known {
  readonly #path = join(cacheFolder(), "formatted.json");
  readonly #digests: Set<string>;

  constructor() {
    this.#digests = new Set(this.#read());
  }

  has(digest: string): boolean {
    return this.#digests.has(digest);
  }

  add(digest: string): void {
    this.#digests.delete(digest);
    this.#digests.add(digest);
  }

  save(): void {
    // Others may have found more meanwhile.
    const all = [...new Set([...this.#read(), ...this.#digests])].slice(-remembered);
    try {
      mkdirSync(cacheFolder(), { recursive: true });
      const scratch = `${this.#path}.${process.pid}`;
      writeFileSync(scratch, JSON.stringify(all));
      renameSync(scratch, this.#path);
    } catch (error) {
      process.stderr.write(`what is formatted is not kept: ${String(error)}\n`);
    }
  }

  #read(): readonly string[] {
    try {
      return kept.parse(JSON.parse(readFileSync(this.#path, "utf8")));
    } catch {
      return [];
    }
  }
}

/** Tracked, and what is about to be. */
function filesIn(root: string): readonly string[] {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  return list
    .toString("utf8")
    .split("\0")
    .filter((path) => path !== "");
}

/** Why a file is not as it should be; undefined when it is, or when nobody formats it. */
async function faultOf(file: string, known: Known): Promise<string | undefined> {
  const path = join(repositoryRoot, file);
  const ignorePath = join(repositoryRoot, ".prettierignore");
  const { ignored, inferredParser } = await prettier.getFileInfo(path, { ignorePath });
  if (ignored || inferredParser === null) return undefined;
  const text = textOf(path);
  // It is in the index and was removed.
  if (text === undefined) return undefined;
  const options = await prettier.resolveConfig(path, { editorconfig: true });
  const made = JSON.stringify([prettier.version, inferredParser, options]);
  const digest = createHash("sha256").update(made).update(text).digest("base64");
  if (!known.has(digest)) {
    try {
      if (!(await prettier.check(text, { ...options, filepath: path }))) return "is not formatted";
    } catch (error) {
      return String(error);
    }
  }
  known.add(digest);
  return undefined;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

const known = new Known();
for (const file of filesIn(repositoryRoot)) {
  const fault = await faultOf(file, known);
  if (fault === undefined) continue;
  process.stdout.write(`${file}: ${fault}\n`);
  process.exitCode = 1;
}
known.save();

/** The release before this one, built from the history: its chart, its examples and its image, as they were. */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../results.ts";
import { mailboatRepository } from "./images.ts";

/** The last one whose API had the names of the first edition, and whose relays do not tell which documents they read. */
const formerCommit = "78a55884efce0dd1c00049a5876c42c8046f22ff";

export interface FormerRelease {
  /** Sources, with the chart in charts/mailboat. */
  readonly folder: string;
  /** An OCI archive. */
  readonly archive: string;
}

/** For `test(name, { skip })`: false, or what is missing. */
export function lackingFormerRelease(): string | false {
  const { status } = git(["cat-file", "-e", `${formerCommit}^{commit}`]);
  return status === 0 ? false : `the history has no ${formerCommit.slice(0, 7)}: fetch it with git fetch --unshallow`;
}

/** Throws with the output of what failed. */
export function buildFormerRelease(scratch: string, version: string): FormerRelease {
  const folder = join(scratch, "former");
  const [sources, archive] = [join(scratch, "former.tar"), join(scratch, `mailboat-${version}.tar`)];
  mkdirSync(folder);
  succeed("git archive", git(["archive", "--output", sources, formerCommit]));
  succeed("tar", spawnSync("tar", ["--extract", "--file", sources, "--directory", folder], { encoding: "utf8" }));
  // Its lockfile is today's but for the version of nothing that is in an image.
  symlinkSync(join(repositoryRoot, "node_modules"), join(folder, "node_modules"));
  const command = [join(folder, "image/build.ts"), `${mailboatRepository}:${version}`, "--archive", archive];
  succeed("its image", spawnSync(process.execPath, command, { cwd: folder, encoding: "utf8" }));
  return { folder, archive };
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function git(args: readonly string[]): Ended {
  return spawnSync("git", args, { cwd: repositoryRoot, encoding: "utf8" });
}

function succeed(what: string, { status, stdout, stderr }: Ended): void {
  if (status !== 0) throw new Error(`${what} failed (${status}):\n${`${stdout}${stderr}`.slice(-2_000)}`);
}

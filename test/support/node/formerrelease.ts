/**
 * The release before this one, as it lies packed beside this file: its chart, its examples, and the sources of its image. The last
 * one whose API had the names of the first edition, and whose relays do not tell which documents they read.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../results.ts";
import { mailboatRepository } from "./images.ts";

const packed = join(import.meta.dirname, "former-release.tar.gz");

export interface FormerRelease {
  /** Sources, with the chart in charts/mailboat. */
  readonly folder: string;
  /** An OCI archive. */
  readonly archive: string;
}

/** Its folder, in `scratch`. Throws with the output of what failed, as below. */
export function unpackFormerRelease(scratch: string): string {
  const folder = join(scratch, "former");
  mkdirSync(folder);
  succeed("tar", spawnSync("tar", ["--extract", "--file", packed, "--directory", folder], { encoding: "utf8" }));
  return folder;
}

export function buildFormerRelease(scratch: string, version: string): FormerRelease {
  const folder = unpackFormerRelease(scratch);
  const archive = join(scratch, `mailboat-${version}.tar`);
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

function succeed(what: string, { status, stdout, stderr }: Ended): void {
  if (status !== 0) throw new Error(`${what} failed (${status}):\n${`${stdout}${stderr}`.slice(-2_000)}`);
}

/**
 * Images for a node that has no registry, as OCI archives in the tests' cache: ours, built anew from the sources each time;
 * a small Debian with other people's mail programs; and the pause that holds a pod together.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buildArchive } from "../../../image/build.ts";
import { cacheFolder } from "../goprogram.ts";
import { pauseImage } from "./plan.ts";

export const mailboatRepository = "mailboat.test/mailboat";
export const debianImage = "mailboat.test/debian:1";

/** Postfix receives, Python sends and dkimpy verifies. */
// debootstrap does not find who provides a virtual package: python3-cffi-backend is named for python3-nacl.
const debianPackages = [
  "postfix",
  "python3-dkim",
  "python3-cffi-backend",
  "python3-dnspython",
  "openssl",
  "ca-certificates",
  "procps",
];
const debianMirror = "http://deb.debian.org/debian";
const debianRelease = "bookworm";

/** Paths of archives to import. */
export interface NodeImages {
  readonly pause: string;
  readonly debian: string;
}

/** The images that stay the same between runs. Rejects with the output of what failed. */
export function provideImages(pauseProgram: string, say: (line: string) => void = () => {}): NodeImages {
  return {
    pause: cached("pause", pauseProgram, (archive, scratch) => {
      const root = join(scratch, "root");
      mkdirSync(root);
      copyFileSync(pauseProgram, join(root, "pause"));
      chmodSync(join(root, "pause"), 0o755);
      archiveOf({ root, scratch, archive, tag: pauseImage, last: ["USER 65535:65535", 'ENTRYPOINT ["/pause"]'] });
    }),
    debian: cached("debian", JSON.stringify([2, debianRelease, debianPackages]), (archive, scratch) => {
      say("installing a small Debian for the node's pods (once; kept in the tests' cache)");
      const root = join(scratch, "root");
      const include = `--include=${debianPackages.join(",")}`;
      runLoudly("debootstrap", "--variant=minbase", include, debianRelease, root, debianMirror);
      for (const leftover of ["var/cache/apt", "var/lib/apt/lists"]) rmSync(join(root, leftover), { recursive: true });
      archiveOf({ root, scratch, archive, tag: debianImage, last: ['CMD ["sleep", "infinity"]'] });
    }),
  };
}

/** Ours, as `make image` builds it. Different tags of the same sources are different images to a kubelet. */
export async function buildMailboatImage(scratch: string, version: string): Promise<{ tag: string; archive: string }> {
  const tag = `${mailboatRepository}:${version}`;
  const archive = join(scratch, `mailboat-${version}.tar`);
  await buildArchive({ tag, version, archive, scratch });
  return { tag, archive };
}

type Build = (archive: string, scratch: string) => void;

function cached(name: string, content: string, build: Build): string {
  const digest = createHash("sha256").update(content).update(process.arch).digest("hex").slice(0, 16);
  const path = join(cacheFolder(), `image-${name}-${digest}.tar`);
  if (existsSync(path)) return path;
  mkdirSync(cacheFolder(), { recursive: true });
  const scratch = mkdtempSync(join(cacheFolder(), `.image-${name}-`));
  try {
    const archive = join(scratch, "archive.tar");
    build(archive, scratch);
    renameSync(archive, path);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return path;
}

interface Archive {
  readonly root: string;
  readonly scratch: string;
  readonly archive: string;
  readonly tag: string;
  /** Lines of a Dockerfile after the root is in place. */
  readonly last: readonly string[];
}

/** By way of a tar file, because owners and modes are kept then; copied files would all be root's. */
function archiveOf({ root, scratch, archive, tag, last }: Archive): void {
  const context = join(scratch, "context");
  mkdirSync(context);
  runLoudly("tar", "--create", "--file", join(context, "root.tar"), "--numeric-owner", "--directory", root, ".");
  writeFileSync(join(context, "Dockerfile"), ["FROM scratch", "ADD root.tar /", ...last, ""].join("\n"));
  const store = ["--root", join(scratch, "storage"), "--runroot", join(scratch, "run"), "--storage-driver", "vfs"];
  const buildah = (...args: readonly string[]): void => {
    runLoudly("buildah", ...store, ...args);
  };
  buildah("build", "--tag", tag, context);
  buildah("push", "--quiet", tag, `oci-archive:${archive}:${tag}`);
}

/** Throws with the end of what the program printed, wherever it printed it. */
function runLoudly(program: string, ...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
  if (status !== 0) throw new Error(`${program} failed (${status}):\n${`${stdout}${stderr}`.slice(-2_000)}`);
}

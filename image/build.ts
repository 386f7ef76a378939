/**
 * Builds the image: `node image/build.ts TAG [--archive FILE]`.
 *
 * By itself it runs the Dockerfile with docker, podman or buildah, whichever is there. With --archive nothing is pulled:
 * the root is laid out from this machine's Node and libraries by the same script, buildah adds the last part of the
 * Dockerfile, and the image is written to FILE as an OCI archive, which `ctr images import` reads.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundlePrograms } from "./bundle.ts";

const repository = join(import.meta.dirname, "..");

export interface ImageBuild {
  /** For example `mailboat.test/mailboat:1`. */
  readonly tag: string;
  readonly version: string;
  /** Where the OCI archive goes. */
  readonly archive: string;
  /** Where buildah keeps what it builds; nothing of it is needed afterwards. */
  readonly scratch: string;
}

/** The root of the image as a folder. Rejects when a bundle or the layout fails. */
export async function layOutRoot(folder: string): Promise<void> {
  const bundles = mkdtempSync(join(tmpdir(), "mailboat-bundles-"));
  try {
    await bundlePrograms(bundles);
    execFileSync(join(repository, "image/root.sh"), [process.execPath, bundles, folder], { stdio: "pipe" });
  } finally {
    rmSync(bundles, { recursive: true, force: true });
  }
}

/** The last part of the Dockerfile, over a root that lies beside it. */
export function lastStage(dockerfile: string): string {
  const start = dockerfile.lastIndexOf("\nFROM scratch\n");
  if (start < 0) throw new Error("Dockerfile: the last part must start with FROM scratch");
  const stage = dockerfile.slice(start + 1);
  const copied = stage.replace(/^COPY --from=root .*$/m, "COPY root /");
  if (copied === stage) throw new Error("Dockerfile: the last part must copy the root that the part before laid out");
  return copied;
}

/** Needs buildah. Rejects with its output. */
export async function buildArchive(build: ImageBuild): Promise<void> {
  const context = mkdtempSync(join(build.scratch, "context-"));
  await layOutRoot(join(context, "root"));
  writeFileSync(join(context, "Dockerfile"), lastStage(readFileSync(join(repository, "Dockerfile"), "utf8")));
  // vfs needs no kernel module and works inside containers.
  const storage = [
    "--root",
    join(build.scratch, "storage"),
    "--runroot",
    join(build.scratch, "run"),
    "--storage-driver",
    "vfs",
  ];
  const buildah = (...args: readonly string[]): void => {
    execFileSync("buildah", [...storage, ...args], { stdio: "pipe" });
  };
  buildah("build", "--build-arg", `VERSION=${build.version}`, "--tag", build.tag, context);
  buildah("push", "--quiet", build.tag, `oci-archive:${build.archive}:${build.tag}`);
}

function buildWithDockerfile(tag: string): number {
  const tools = ["docker", "podman", "buildah"];
  const tool = tools.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
  if (tool === undefined) {
    process.stderr.write("building the image needs docker, podman or buildah: install one of them\n");
    return 1;
  }
  const revision = spawnSync("git", ["rev-parse", "HEAD"], { cwd: repository, encoding: "utf8" }).stdout.trim();
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as {
    readonly version: string;
  };
  const values = ["--build-arg", `VERSION=${version}`, "--build-arg", `REVISION=${revision || "unknown"}`];
  return spawnSync(tool, ["build", ...values, "--tag", tag, "."], { cwd: repository, stdio: "inherit" }).status ?? 1;
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { archive: { type: "string" } },
  });
  const [tag] = positionals;
  if (tag === undefined) {
    process.stderr.write("usage: node image/build.ts TAG [--archive FILE]\n");
    return 2;
  }
  if (values.archive === undefined) return buildWithDockerfile(tag);
  const scratch = mkdtempSync(join(tmpdir(), "mailboat-image-"));
  try {
    await buildArchive({ tag, version: tag.split(":").at(-1) ?? "dev", archive: values.archive, scratch });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

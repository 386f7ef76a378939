/**
 * Other people's programs that come as Go modules: etcd, kube-apiserver, the OpenTelemetry collector. Each is built from
 * a go.mod of ours into a cache outside the tree, under the hash of what decides the result, so that a second run
 * builds nothing.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { repositoryRoot } from "./results.ts";

export interface GoProgram {
  /** The file's name in the cache. */
  readonly name: string;
  /** The folder with go.mod and go.sum, relative to the repository. */
  readonly folder: string;
  /** What `go build` is given: `.` for a main of ours, an import path for a program of a required module. */
  readonly package: string;
  /** Values of `-X`, by variable. */
  readonly variables?: Readonly<Record<string, string>>;
}

const placesOfGo = ["/usr/local/go/bin", "/usr/lib/go/bin", "/snap/bin"];

/** A cold build of kube-apiserver takes some five minutes on two cores; past this the build is stuck. */
const buildDeadlineMs = 30 * 60_000;

/** For `test(name, { skip: lackingGo() })`: false, or what is missing. */
export function lackingGo(): string | false {
  return findGo() === undefined ? "not installed: go" : false;
}

/**
 * The program's path, built first where the cache lacks it.
 * @throws When Go is missing or the build fails; the message holds the compiler's output.
 */
export async function provideGoProgram(program: GoProgram, say: (line: string) => void = () => {}): Promise<string> {
  const folder = join(cacheFolder(), `${program.name}-${digestOf(program)}`);
  const path = join(folder, program.name);
  if (existsSync(path)) return path;
  const go = findGo();
  if (go === undefined) throw new Error(`${program.name} is built with Go, and there is no go on the PATH: install Go`);
  mkdirSync(cacheFolder(), { recursive: true });
  say(`building ${program.name} with Go (once; kept in ${cacheFolder()})`);
  const scratch = mkdtempSync(join(cacheFolder(), `.${program.name}-`));
  try {
    await build(go, program, join(scratch, program.name));
    moveInto(scratch, folder, path);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return path;
}

/** Two builders may meet here: whoever is second finds the same program in place. */
function moveInto(scratch: string, folder: string, path: string): void {
  try {
    renameSync(scratch, folder);
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}

async function build(go: string, program: GoProgram, output: string): Promise<void> {
  const variables = Object.entries(program.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags", ["-s -w", ...variables].join(" "), "-o", output];
  const child = spawn(go, [...args, program.package], {
    cwd: join(repositoryRoot, program.folder),
    env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: buildDeadlineMs,
  });
  const printed: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => printed.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => printed.push(chunk));
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on("error", reject);
  child.on("close", resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`go build ${program.name} failed:\n${Buffer.concat(printed).toString("utf8")}`);
}

function digestOf(program: GoProgram): string {
  const folder = join(repositoryRoot, program.folder);
  const hash = createHash("sha256").update(JSON.stringify(program)).update(process.arch);
  for (const file of globSync(["go.mod", "go.sum", "**/*.go"], { cwd: folder }).toSorted()) {
    hash.update(file).update(readFileSync(join(folder, file)));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Where things that are made once are kept between runs. */
export function cacheFolder(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "mailboat-test");
}

function findGo(): string | undefined {
  const path = (process.env["PATH"] ?? "").split(delimiter);
  return [...path, ...placesOfGo].map((folder) => join(folder, "go")).find((file) => existsSync(file));
}

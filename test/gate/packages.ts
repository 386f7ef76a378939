/**
 * The Debian packages that tests use: other people's mail programs, to check ours against. Installed when missing and
 * allowed (root, apt-get); what starts by itself then is stopped again, because tests run their own instances.
 */
import { runCommand } from "./command.ts";

export interface DebianPackage {
  readonly name: string;
  /** Stops the daemon that installing the package starts. */
  readonly stop?: readonly [program: string, ...args: string[]];
}

export const scenarioPackages: readonly DebianPackage[] = [
  { name: "postfix", stop: ["postfix", "stop"] },
  { name: "opendkim", stop: ["service", "opendkim", "stop"] },
  { name: "opendkim-tools" },
  { name: "libpython3.11-testsuite" },
  { name: "python3-dkim" },
  { name: "python3-flufl.bounce" },
  // Java runs the source of JavaMail's reader.
  { name: "openjdk-17-jdk-headless" },
  { name: "libjakarta-mail-java" },
  { name: "buildah" },
  { name: "chromium" },
  { name: "strace" },
  { name: "swaks" },
  // What swaks needs for TLS.
  { name: "libnet-ssleay-perl" },
  // Clients of SCRAM.
  { name: "msmtp" },
  { name: "gsasl" },
  { name: "prometheus", stop: ["service", "prometheus", "stop"] },
  { name: "openssl" },
  { name: "curl" },
];

/** What a whole node needs beside the programs that are built for it. */
export const clusterPackages: readonly DebianPackage[] = [
  { name: "runc" },
  { name: "iptables" },
  { name: "iproute2" },
  { name: "containernetworking-plugins" },
  { name: "buildah" },
  { name: "debootstrap" },
];

async function isInstalled(name: string): Promise<boolean> {
  const result = await runCommand("dpkg-query", ["-W", "-f", "${Status}", name]);
  return result.code === 0 && result.output.startsWith("install ok installed");
}

/** Returns the names that are still missing, each then skips the tests that need it. `say` prints progress. */
export async function providePackages(
  packages: readonly DebianPackage[],
  say: (line: string) => void,
): Promise<readonly string[]> {
  const missing: DebianPackage[] = [];
  for (const wanted of packages) if (!(await isInstalled(wanted.name))) missing.push(wanted);
  if (missing.length === 0) return [];
  const names = missing.map((wanted) => wanted.name);
  const hasApt = (await runCommand("apt-get", ["--version"])).code === 0;
  if (process.getuid?.() !== 0 || !hasApt) return names;
  say(`installing Debian packages: ${names.join(" ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const update = await runCommand("apt-get", ["update", "-q"], { env });
  if (update.code !== 0) say(`apt-get update: ${lastLine(update.output)}`);
  for (const wanted of missing) {
    const result = await runCommand("apt-get", ["install", "-q", "-y", "--no-install-recommends", wanted.name], {
      env,
    });
    if (result.code !== 0) say(`apt-get install ${wanted.name}: ${lastLine(result.output)}`);
    if (result.code === 0 && wanted.stop !== undefined) {
      const [program, ...args] = wanted.stop;
      // It need not be running: a container without an init starts nothing.
      await runCommand(program, args);
    }
  }
  const still: string[] = [];
  for (const name of names) if (!(await isInstalled(name))) still.push(name);
  return still;
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

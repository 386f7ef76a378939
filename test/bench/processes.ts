/**
 * Programs under measurement: started in a control group of their own, so that the CPU time of all their processes, those
 * that have ended included, is one figure. Needs root, as starting Postfix does.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface ControlGroup {
  /** CPU time of everything that ran in it, in seconds. */
  cpuSeconds(): Promise<number>;
  /** Starts a program in it. */
  start(command: readonly string[], environment?: NodeJS.ProcessEnv): ChildProcess;
  remove(): Promise<void>;
}

const version1 = "/sys/fs/cgroup/cpuacct";
const version2 = "/sys/fs/cgroup";

/** Rejects without control groups or without the right to make one. */
export async function createControlGroup(name: string): Promise<ControlGroup> {
  const isVersion2 = existsSync(join(version2, "cgroup.controllers"));
  const path = join(isVersion2 ? version2 : version1, `mailboat-bench-${process.pid}-${name}`);
  await mkdir(path);
  const children: ChildProcess[] = [];
  return {
    async cpuSeconds() {
      if (!isVersion2) return Number(await readFile(join(path, "cpuacct.usage"), "utf8")) / 1e9;
      const usage = /usage_usec (\d+)/.exec(await readFile(join(path, "cpu.stat"), "utf8"))?.[1];
      return Number(usage) / 1e6;
    },
    start(command, environment) {
      const script = `echo $$ > '${join(path, "cgroup.procs")}' && exec "$@"`;
      const child = spawn("/bin/sh", ["-c", script, "sh", ...command], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { ...process.env, ...environment },
      });
      child.stdout.resume();
      children.push(child);
      return child;
    },
    async remove() {
      for (const child of children) await stop(child);
      for (let tries = 0; tries < 50; tries += 1) {
        const left = (await readFile(join(path, "cgroup.procs"), "utf8")).trim();
        if (left === "") break;
        for (const pid of left.split("\n")) endProcess(Number(pid));
        await delay(100);
      }
      await rmdir(path);
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  await Promise.race([ended, delay(5_000, undefined, { ref: false })]);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself between the listing and now.
  }
}

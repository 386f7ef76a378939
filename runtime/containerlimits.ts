/**
 * What this process may use, for panels that show use as a share of it. Asked of the kernel at each scrape, because Kubernetes
 * can change the limits of a container that runs. Where nothing limits it, and where the kernel does not say, it is what the
 * machine has.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";

export interface ContainerLimits {
  readonly memoryBytes: number;
  readonly cpuCores: number;
}

/** Where a container finds its own control group: the root of what is mounted there. */
const controlGroups = "/sys/fs/cgroup";

export function readContainerLimits(root = controlGroups): ContainerLimits {
  // Without a limit it is 0, or a number that no machine has.
  const constrained = process.constrainedMemory();
  const machine = totalmem();
  return {
    memoryBytes: constrained > 0 && constrained < machine ? constrained : machine,
    cpuCores: Math.min(quotaOf(root), availableParallelism()),
  };
}

/** Cores by the scheduler's quota: that of the second version of control groups, or of the first. Infinity without one. */
function quotaOf(root: string): number {
  const [quota, period] = (textOf(join(root, "cpu.max")) ?? firstVersion(root)).split(/\s+/).map(Number);
  const cores = (quota ?? NaN) / (period ?? NaN);
  return cores > 0 ? cores : Infinity;
}

function firstVersion(root: string): string {
  const [quota, period] = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map((file) => textOf(join(root, "cpu", file)));
  return `${quota ?? "max"} ${period ?? "max"}`;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

/**
 * Where temporary files of unit tests lie: in memory where there is room, because a spool that is opened hundreds of times waits for the
 * disk most of its time. What is on a real disk after a kill is asked in test/scenario.
 */
import { statfsSync } from "node:fs";

const folder = "/dev/shm";
/** Most containers have 64 MiB there; tests need some hundred. */
const neededBytes = 4 * 2 ** 30;

/** Undefined where there is none. */
export function memoryDisk(): string | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= neededBytes ? folder : undefined;
  } catch {
    return undefined;
  }
}

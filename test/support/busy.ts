/** A machine that is busy with something else: what that alone costs is no matter of the relay's. */
import { spawn } from "node:child_process";
import { availableParallelism, constants, setPriority } from "node:os";

/** Every processor, at the low priority of strangers. Returns what ends it. */
export function keepBusy(): () => void {
  const spinning = Array.from({ length: availableParallelism() }, () => {
    const child = spawn(process.execPath, ["--eval", "for (;;);"], { stdio: "ignore" });
    if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    return child;
  });
  return () => {
    for (const child of spinning) child.kill("SIGKILL");
  };
}

/** Kubernetes' own controllers against a control plane of the test's: those that take away what is deleted, and no others. */
import { join } from "node:path";
import { Program } from "../program.ts";
import type { ControlPlane } from "./controlplane.ts";
import { provideControllers } from "./programs.ts";

export const namespaceController = "namespace-controller";
export const garbageCollector = "garbage-collector-controller";

export interface ControllersStart {
  readonly plane: ControlPlane;
  readonly directory: string;
  /** Names as kube-controller-manager has them. */
  readonly controllers: readonly string[];
}

/** Kill it in the test's clean-up. */
export async function startControllers({ plane, directory, controllers }: ControllersStart): Promise<Program> {
  const flags = {
    kubeconfig: plane.kubeconfig,
    controllers: controllers.join(","),
    "leader-elect": "false",
    // Health and metrics, which nobody asks for.
    "secure-port": "0",
  };
  const command = [await provideControllers(), ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
  return new Program({ command, logFile: join(directory, "controllers.txt") });
}

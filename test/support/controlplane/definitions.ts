/** Our kinds, applied as anybody would apply them. */
import { join } from "node:path";
import { repositoryRoot } from "../results.ts";
import type { ControlPlane } from "./controlplane.ts";

/** Returns when the server takes resources of them. */
export function applyDefinitions(plane: ControlPlane): void {
  plane.kubectl(["apply", "-f", join(repositoryRoot, "crds/mailrelays.yaml")]);
  plane.kubectl(["apply", "-f", join(repositoryRoot, "crds/senderdomains.yaml")]);
  plane.kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
}

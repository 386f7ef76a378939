/**
 * etcd, kube-apiserver and kubectl: from KUBEBUILDER_ASSETS when that is set, otherwise built from pinned Go modules into
 * a cache outside the tree (some five minutes on two cores the first time, nothing afterwards).
 */
import { join } from "node:path";
import { type GoProgram, lackingGo, provideGoProgram } from "../goprogram.ts";

export interface ControlPlanePrograms {
  readonly etcd: string;
  readonly apiserver: string;
  readonly kubectl: string;
}

const folder = "test/apiserver/kubernetes";
const version = {
  "k8s.io/component-base/version.gitVersion": "v1.36.3",
  "k8s.io/component-base/version.gitMajor": "1",
  "k8s.io/component-base/version.gitMinor": "36",
};

export const programs = {
  etcd: { name: "etcd", folder, package: "go.etcd.io/etcd/server/v3" },
  apiserver: { name: "kube-apiserver", folder, package: "k8s.io/kubernetes/cmd/kube-apiserver", variables: version },
  kubectl: { name: "kubectl", folder, package: "k8s.io/kubernetes/cmd/kubectl", variables: version },
  controllers: {
    name: "kube-controller-manager",
    folder,
    package: "k8s.io/kubernetes/cmd/kube-controller-manager",
    variables: version,
  },
} as const satisfies Record<string, GoProgram>;

/** For `test(name, { skip })`: false, or what is missing. */
export function lackingControlPlane(): string | false {
  return assets() === undefined ? lackingGo() : false;
}

/** @throws When Go is missing or a build fails. */
export async function provideControlPlane(say: (line: string) => void = () => {}): Promise<ControlPlanePrograms> {
  const given = assets();
  if (given !== undefined) {
    return { etcd: join(given, "etcd"), apiserver: join(given, "kube-apiserver"), kubectl: join(given, "kubectl") };
  }
  // One after the other: each build takes all cores by itself.
  const etcd = await provideGoProgram(programs.etcd, say);
  const apiserver = await provideGoProgram(programs.apiserver, say);
  const kubectl = await provideGoProgram(programs.kubectl, say);
  return { etcd, apiserver, kubectl };
}

/** Beside what `lackingControlPlane` looks for. */
export function lackingControllers(): string | false {
  return lackingControlPlane() || lackingGo();
}

/** kube-controller-manager. @throws When Go is missing or the build fails. */
export async function provideControllers(say: (line: string) => void = () => {}): Promise<string> {
  return provideGoProgram(programs.controllers, say);
}

function assets(): string | undefined {
  const given = process.env["KUBEBUILDER_ASSETS"];
  return given === undefined || given === "" ? undefined : given;
}

/** What a whole node is made of: Kubernetes, containerd and CoreDNS from pinned Go modules, the rest from Debian. */
import { existsSync } from "node:fs";
import { programs as kubernetes } from "../controlplane/programs.ts";
import { type GoProgram, lackingGo, provideGoProgram } from "../goprogram.ts";
import { lacking, needsRoot } from "../tools.ts";

const containerd = "test/cluster/containerd";
const versionOfContainerd = { "github.com/containerd/containerd/v2/version.Version": "v2.2.1" };

function ofContainerd(name: string): GoProgram {
  const path = `github.com/containerd/containerd/v2/cmd/${name}`;
  return { name, folder: containerd, package: path, variables: versionOfContainerd };
}

function ofKubernetes(name: string): GoProgram {
  return { ...kubernetes.apiserver, name, package: `k8s.io/kubernetes/cmd/${name}` };
}

const nodePrograms = {
  etcd: kubernetes.etcd,
  apiserver: kubernetes.apiserver,
  kubectl: kubernetes.kubectl,
  controllers: kubernetes.controllers,
  scheduler: ofKubernetes("kube-scheduler"),
  kubelet: ofKubernetes("kubelet"),
  proxy: ofKubernetes("kube-proxy"),
  containerd: ofContainerd("containerd"),
  shim: ofContainerd("containerd-shim-runc-v2"),
  ctr: ofContainerd("ctr"),
  coredns: { name: "coredns", folder: "test/cluster/coredns", package: "." },
  pause: { name: "pause", folder: "test/cluster/pause", package: "." },
} as const satisfies Record<string, GoProgram>;

/** Paths by name. */
export type NodePrograms = Readonly<Record<keyof typeof nodePrograms, string>>;

/** Where Debian's containernetworking-plugins puts them. */
export const networkPlugins = "/usr/lib/cni";

/** For `test(name, { skip })`: false, or what is missing. */
export function lackingNode(): string | false {
  if (process.platform !== "linux") return "a node needs Linux";
  const missing = lacking("runc", "iptables", "ip", "buildah", "debootstrap", "unshare", "nsenter", "setpriv");
  const plugins = existsSync(`${networkPlugins}/ptp`) ? false : "not installed: containernetworking-plugins";
  return needsRoot() || lackingGo() || missing || plugins;
}

/** A cold build of everything takes some ten minutes on two cores. @throws When a build fails. */
export async function provideNode(say: (line: string) => void = () => {}): Promise<NodePrograms> {
  const paths: [string, string][] = [];
  // One after the other: each build takes all cores by itself.
  for (const [name, program] of Object.entries(nodePrograms)) paths.push([name, await provideGoProgram(program, say)]);
  return Object.fromEntries(paths) as NodePrograms;
}

/** Where everything of one node lies, and how it is addressed. */
import { join } from "node:path";
import type { NodePrograms } from "./programs.ts";

/** No range that a machine's own network uses: RFC 2544 keeps these for tests. */
export const addresses = {
  node: "198.18.0.1",
  /** Nobody has it; routes need one. */
  gateway: "198.18.0.254",
  pods: "198.18.64.0/18",
  services: "198.18.128.0/20",
  /** The first of the services: the API server, as pods know it. */
  kubernetes: "198.18.128.1",
} as const;

export const nodeName = "node-1";
export const apiPort = 6443;
export const apiUrl: string = `https://${addresses.node}:${apiPort}`;
export const pauseImage = "mailboat.test/pause:1";

/** Users of the API server by the file of their kubeconfig; groups are those of Kubernetes' own roles. */
export const users = {
  admin: { name: "admin", groups: ["system:masters"] },
  kubelet: { name: `system:node:${nodeName}`, groups: ["system:nodes"] },
  controllers: { name: "system:kube-controller-manager", groups: [] },
  scheduler: { name: "system:kube-scheduler", groups: [] },
  proxy: { name: "system:kube-proxy", groups: [] },
  dns: { name: "coredns", groups: ["system:masters"] },
} as const;

export type UserName = keyof typeof users;

export interface NodePlan {
  /** Short, because sockets lie in it. */
  readonly directory: string;
  /** Also the name of its cgroup. */
  readonly id: string;
  readonly programs: NodePrograms;
}

export interface NodePaths {
  readonly plan: string;
  readonly kubeconfig: (user: UserName) => string;
  readonly pki: string;
  readonly logs: string;
  readonly etcd: string;
  readonly containerdRoot: string;
  readonly containerdSocket: string;
  readonly containerdConfiguration: string;
  readonly network: string;
  readonly kubelet: string;
  readonly kubeletConfiguration: string;
  readonly proxyConfiguration: string;
  readonly corefile: string;
  /** The machine's own names lead nowhere here. */
  readonly resolver: string;
  /** The zone that the node's DNS answers from, beside the names of the cluster. */
  readonly zone: string;
  readonly volumes: string;
  /** A Unix socket that leads to the API server from outside the node's network. */
  readonly apiSocket: string;
  readonly bin: string;
}

export function pathsOf(directory: string): NodePaths {
  const at = (...names: readonly string[]): string => join(directory, ...names);
  return {
    plan: at("plan.json"),
    kubeconfig: (user) => at("pki", `kubeconfig-${user}`),
    pki: at("pki"),
    logs: at("logs"),
    etcd: at("etcd"),
    containerdRoot: at("containerd"),
    containerdSocket: at("containerd.sock"),
    containerdConfiguration: at("containerd.toml"),
    network: at("cni"),
    kubelet: at("kubelet"),
    kubeletConfiguration: at("kubelet.yaml"),
    proxyConfiguration: at("proxy.yaml"),
    corefile: at("Corefile"),
    resolver: at("resolv.conf"),
    zone: at("zone"),
    volumes: at("volumes"),
    apiSocket: at("api.sock"),
    bin: at("bin"),
  };
}

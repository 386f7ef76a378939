/** The files that the programs of a node are started with. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { issueLeaf, makeCertificateAuthority } from "../../../operator/trust/issue.ts";
import { addresses, apiUrl, type NodePaths, type NodePlan, pathsOf, pauseImage, type UserName, users } from "./plan.ts";
import { networkPlugins } from "./programs.ts";

export async function writeNodeFiles(plan: NodePlan): Promise<void> {
  const paths = pathsOf(plan.directory);
  const folders = [
    paths.pki,
    paths.logs,
    paths.etcd,
    paths.containerdRoot,
    paths.network,
    paths.kubelet,
    paths.volumes,
    paths.bin,
  ];
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  writeFileSync(paths.plan, JSON.stringify(plan));
  await writeIdentities(paths);
  writeFileSync(paths.containerdConfiguration, containerdConfiguration(paths));
  writeFileSync(join(paths.network, "10-pods.conflist"), JSON.stringify(podNetwork(plan.directory)));
  writeFileSync(paths.kubeletConfiguration, JSON.stringify(kubeletConfiguration(plan)));
  writeFileSync(paths.proxyConfiguration, JSON.stringify(proxyConfiguration(paths)));
  writeFileSync(paths.corefile, corefile(paths));
  writeFileSync(paths.resolver, `nameserver ${addresses.node}\n`);
  writeZone(paths, []);
  // containerd finds its shim by name.
  symlinkSync(plan.programs.shim, join(paths.bin, "containerd-shim-runc-v2"));
}

/**
 * Records in the form of a zone file, names absolute. The server looks every second; the serial tells it of a change, and is
 * returned so that one can wait for it.
 */
export function writeZone(paths: NodePaths, records: readonly string[]): number {
  const serial = Math.floor((performance.timeOrigin + performance.now()) / 100) % 2 ** 31;
  const soa = `. 1 IN SOA ns.test. hostmaster.test. ${serial} 3600 600 86400 1`;
  writeFileSync(paths.zone, [soa, ". 1 IN NS ns.test.", ...records, ""].join("\n"));
  return serial;
}

async function writeIdentities(paths: NodePaths): Promise<void> {
  const now = Date.now();
  const authority = await makeCertificateAuthority(now);
  const names = [addresses.node, addresses.kubernetes, "127.0.0.1", "localhost", "kubernetes.default.svc"];
  const leaf = await issueLeaf({ authority, names, now });
  const at = (name: string): string => join(paths.pki, name);
  writeFileSync(at("ca.crt"), authority.certificate);
  writeFileSync(at("server.crt"), leaf.certificate + authority.certificate);
  writeFileSync(at("server.key"), leaf.privateKey);
  const accountKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  writeFileSync(at("sa.key"), accountKey.export({ type: "pkcs1", format: "pem" }));
  const lines: string[] = [];
  for (const user of Object.keys(users) as UserName[]) {
    const token = randomUUID();
    const { name, groups } = users[user];
    lines.push(`${token},${name},${name}${groups.length === 0 ? "" : `,"${groups.join(",")}"`}\n`);
    writeFileSync(paths.kubeconfig(user), kubeconfigText(apiUrl, authority.certificate, token));
  }
  writeFileSync(at("tokens.csv"), lines.join(""));
}

function kubeconfigText(server: string, authority: string, token: string): string {
  const data = Buffer.from(authority).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "node", cluster: { server, "certificate-authority-data": data } }],
    users: [{ name: "user", user: { token } }],
    contexts: [{ name: "node", context: { cluster: "node", user: "user" } }],
    "current-context": "node",
  });
}

function containerdConfiguration(paths: NodePaths): string {
  return `version = 3
root = "${paths.containerdRoot}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.cri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "${paths.containerdSocket}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${pauseImage}"
[plugins."io.containerd.cri.v1.runtime"]
  # A container that asks for less than this process may give does not start otherwise.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${networkPlugins}"]
    conf_dir = "${paths.network}"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;
}

/** Every pod has a wire of its own to the node: no bridge, so that every packet passes the rules of kube-proxy. */
function podNetwork(directory: string): object {
  const ipam = {
    type: "host-local",
    ranges: [[{ subnet: addresses.pods }]],
    routes: [{ dst: "0.0.0.0/0" }],
    dataDir: join(directory, "cni-state"),
  };
  return {
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      { type: "ptp", ipMasq: false, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubeletConfiguration({ directory, id }: NodePlan): object {
  const paths = pathsOf(directory);
  const none = {
    "memory.available": "0%",
    "nodefs.available": "0%",
    "nodefs.inodesFree": "0%",
    "imagefs.available": "0%",
  };
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${id}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    evictionHard: none,
    imageGCHighThresholdPercent: 100,
    // Nobody but the test is in this network.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    clusterDomain: "cluster.local",
    clusterDNS: [addresses.node],
    resolvConf: paths.resolver,
    podLogsDir: join(directory, "pods"),
    rotateCertificates: false,
    registerNode: true,
    nodeStatusUpdateFrequency: "2s",
    syncFrequency: "10s",
    maxPods: 60,
  };
}

function proxyConfiguration(paths: NodePaths): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clientConnection: { kubeconfig: paths.kubeconfig("proxy") },
    clusterCIDR: addresses.pods,
    // These belong to the machine, and a network namespace may not set them.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    oomScoreAdj: 0,
  };
}

function corefile(paths: NodePaths): string {
  return `.:53 {
  bind ${addresses.node}
  errors
  kubernetes cluster.local 18.198.in-addr.arpa {
    kubeconfig ${paths.kubeconfig("dns")}
    ttl 1
  }
  file ${paths.zone} . {
    reload 1s
  }
}
`;
}

/** Copies what a person wants to see of a node that failed. */
export function copyLogs(directory: string, to: string): void {
  cpSync(pathsOf(directory).logs, to, { recursive: true });
}

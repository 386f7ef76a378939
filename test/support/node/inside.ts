/**
 * The first process inside the node's own namespaces (`unshare` of network, processes and mounts): lays the network, starts
 * every program and waits. When it is killed the kernel ends everything it started, containers too, and takes wires and
 * mounts away: nothing is left but files.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { Program } from "../program.ts";
import { until } from "../until.ts";
import { addresses, apiPort, type NodePaths, type NodePlan, nodeName, pathsOf } from "./plan.ts";

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** What programs write outside the node's folder goes to copies that end with this process. */
function hideTheMachine(directory: string): void {
  // The kubelet shares mounts with its containers, and with nobody else.
  run("mount", "--make-rshared", "/");
  run("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run");
  const [upper, work] = [join(directory, "var-upper"), join(directory, "var-work")];
  for (const folder of [upper, work]) mkdirSync(folder, { recursive: true });
  run("mount", "-t", "overlay", "-o", `lowerdir=/var,upperdir=${upper},workdir=${work}`, "overlay", "/var");
  for (const folder of ["/run/containerd", "/run/netns", "/run/lock"]) mkdirSync(folder, { recursive: true });
}

/** A pair of wires stands for the card; its other end leads nowhere, so no packet leaves. */
function layNetwork(): void {
  run("ip", "link", "set", "lo", "up");
  run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "nowhere");
  for (const wire of ["eth0", "nowhere"]) run("ip", "link", "set", wire, "up");
  run("ip", "address", "add", `${addresses.node}/24`, "dev", "eth0");
  run("ip", "route", "add", "default", "via", addresses.gateway, "dev", "eth0");
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}

type Flags = Readonly<Record<string, string>>;

function starter(paths: NodePaths): (name: string, program: string, flags: Flags) => Program {
  const env = { PATH: `${paths.bin}:${process.env["PATH"] ?? ""}` };
  return (name, program, flags) => {
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const started = new Program({ command: [program, ...args], env, logFile: join(paths.logs, `${name}.txt`) });
    void started.exited.then((how) => {
      process.stdout.write(`${name} ended (${how}): ${started.lines.slice(-5).join(" | ")}\n`);
      process.exit(1);
    });
    return started;
  };
}

async function startNode({ directory, programs, id }: NodePlan): Promise<void> {
  const paths = pathsOf(directory);
  const start = starter(paths);
  const pki = (name: string): string => join(paths.pki, name);
  start("etcd", programs.etcd, {
    "data-dir": paths.etcd,
    "unsafe-no-fsync": "true",
    "log-level": "warn",
    "listen-client-urls": "http://127.0.0.1:2379",
    "advertise-client-urls": "http://127.0.0.1:2379",
  });
  start("apiserver", programs.apiserver, apiServerFlags(pki));
  start("containerd", programs.containerd, { config: paths.containerdConfiguration });
  const certificate = readFileSync(pki("ca.crt"), "utf8");
  await until("the API server", () => isReady(certificate), 60_000);
  start("controllers", programs.controllers, {
    kubeconfig: paths.kubeconfig("controllers"),
    "service-account-private-key-file": pki("sa.key"),
    "root-ca-file": pki("ca.crt"),
    "use-service-account-credentials": "true",
    "leader-elect": "false",
    "bind-address": "127.0.0.1",
    "node-monitor-grace-period": "20s",
  });
  start("scheduler", programs.scheduler, {
    kubeconfig: paths.kubeconfig("scheduler"),
    "leader-elect": "false",
    "bind-address": "127.0.0.1",
  });
  start("proxy", programs.proxy, { config: paths.proxyConfiguration, "hostname-override": nodeName });
  start("coredns", programs.coredns, { conf: paths.corefile });
  await until("containerd", () => existsSync(paths.containerdSocket), 30_000);
  start("kubelet", programs.kubelet, {
    config: paths.kubeletConfiguration,
    kubeconfig: paths.kubeconfig("kubelet"),
    "hostname-override": nodeName,
    "node-ip": addresses.node,
    "root-dir": paths.kubelet,
    "node-labels": `mailboat.test/node=${id}`,
  });
}

function apiServerFlags(pki: (name: string) => string): Flags {
  return {
    "etcd-servers": "http://127.0.0.1:2379",
    "bind-address": "0.0.0.0",
    "advertise-address": addresses.node,
    "secure-port": String(apiPort),
    "tls-cert-file": pki("server.crt"),
    "tls-private-key-file": pki("server.key"),
    "token-auth-file": pki("tokens.csv"),
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "service-cluster-ip-range": addresses.services,
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": pki("sa.key"),
    "service-account-signing-key-file": pki("sa.key"),
    "kubelet-preferred-address-types": "InternalIP",
    "allow-privileged": "true",
    "shutdown-delay-duration": "0s",
  };
}

async function isReady(certificate: string): Promise<boolean> {
  const { request } = await import("node:https");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const asked = request({ host: addresses.node, port: apiPort, path: "/readyz", ca: certificate }, (answer) => {
    answer.resume();
    resolve(answer.statusCode === 200);
  });
  asked.on("error", () => resolve(false));
  asked.end();
  return promise;
}

/** Sockets of files are seen from every network. */
function openDoor(path: string): void {
  const server = createServer((outside) => {
    const inside = connect({ host: addresses.node, port: apiPort });
    for (const [from, to] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      from.on("error", () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(path);
}

async function main(directory: string): Promise<void> {
  const plan = JSON.parse(readFileSync(pathsOf(directory).plan, "utf8")) as NodePlan;
  hideTheMachine(directory);
  layNetwork();
  await startNode(plan);
  openDoor(pathsOf(directory).apiSocket);
  process.stdout.write("node started\n");
}

if (import.meta.main) await main(process.argv[2] ?? "");

/** The pod of the example that sends with nothing but its identity, in the variants that scenarios ask for. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { repositoryRoot } from "../results.ts";
import { mailNamespace, type MailCluster } from "./mailcluster.ts";

const folder = join(repositoryRoot, "examples/pod-identity");

interface ExamplePod {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly serviceAccountName: string;
    readonly containers: readonly object[];
    readonly volumes: readonly { readonly name: string }[];
  };
}

export interface PodVariant {
  readonly name: string;
  /** The ServiceAccount whose token the pod has. */
  readonly account: string;
  /** A ConfigMap with the program, which lies in /app. */
  readonly program: string;
  readonly image: string;
  readonly command: readonly string[];
}

export function examplePod({ name, account, program, image, command }: PodVariant): object {
  const pod = parseAllDocuments(readFileSync(join(folder, "pod.yaml"), "utf8"))
    .at(-1)
    ?.toJS() as ExamplePod;
  const { metadata, spec } = pod;
  return {
    ...pod,
    metadata: { ...metadata, name },
    spec: {
      ...spec,
      serviceAccountName: account,
      containers: spec.containers.map((container) => ({ ...container, image, command })),
      volumes: spec.volumes.map((volume) =>
        volume.name === "app" ? { name: "app", configMap: { name: program } } : volume,
      ),
    },
  };
}

/** The example for Node with its library in the same file: the node has no registry to install it from. */
export function nodeExample(): string {
  // nodemailer is CommonJS and asks for modules of Node while it runs.
  const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';
  const form = ["--bundle", "--platform=node", "--format=esm", "--minify", `--banner:js=${banner}`];
  const program = join(repositoryRoot, "node_modules/.bin/esbuild");
  return execFileSync(program, [join(folder, "send.mjs"), ...form], { encoding: "utf8", maxBuffer: 4 * 2 ** 20 });
}

/** Resolves with what the pod printed once it has ended that way. */
export async function ended({ node }: MailCluster, pod: string, phase: "Succeeded" | "Failed"): Promise<string> {
  const where = ["--namespace", mailNamespace];
  await node.kubectl(["wait", `--for=jsonpath={.status.phase}=${phase}`, `pod/${pod}`, ...where, "--timeout=60s"]);
  return node.kubectl(["logs", pod, ...where]);
}

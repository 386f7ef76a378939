/**
 * The chart on a real API server: installed, upgraded, rolled back and uninstalled with both Helms, admitted where the
 * restricted standard is enforced, and its rights enough for the operator and no more.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { parseAllDocuments } from "yaml";
import { runCommand } from "../gate/command.ts";
import {
  chartFolder,
  type Helm,
  type HelmMajor,
  helmMajors,
  helmPlaces,
  provideHelm,
  provideHelmProgram,
  type Rendered,
  withImage,
} from "../support/helm.ts";
import { blockTexts } from "../support/documentblocks.ts";
import { type ControlPlane, startControlPlane } from "../support/controlplane/controlplane.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { OperatorProgram } from "../support/controlplane/operator.ts";
import { lackingControlPlane, provideControlPlane } from "../support/controlplane/programs.ts";
import { Program } from "../support/program.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { keepSecret } from "../support/secrets/disclosure.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const directory = makeResultsDirectory(import.meta.url, "plane");
const plane: ControlPlane | undefined = skip === false ? await startControlPlane(directory) : undefined;
after(() => plane?.stop());

const restricted = { "pod-security.kubernetes.io/enforce": "restricted" };

function cluster(): ControlPlane {
  if (plane === undefined) throw new Error("no control plane");
  return plane;
}

/** Names of objects, `kind/name`, as kubectl prints them. */
function list(kinds: string, namespace?: string): readonly string[] {
  const where = namespace === undefined ? [] : ["--namespace", namespace];
  return cluster()
    .kubectl(["get", kinds, ...where, "-o", "name"])
    .split("\n")
    .filter((line) => line !== "");
}

function read(kind: string, name: string, namespace: string): Rendered {
  return JSON.parse(cluster().kubectl(["get", kind, name, "--namespace", namespace, "-o", "json"])) as Rendered;
}

/** Acts as one ServiceAccount and nobody else. */
function kubeconfigOf(namespace: string, account: string): string {
  const token = cluster().kubectl(["create", "token", account, "--namespace", namespace, "--duration", "1h"]).trim();
  keepSecret("a token of the API server", token);
  const config = JSON.parse(readFileSync(cluster().kubeconfig, "utf8")) as { users: { user: { token: string } }[] };
  for (const { user } of config.users) user.token = token;
  const path = join(directory, `kubeconfig-${account}-${namespace}`);
  writeFileSync(path, JSON.stringify(config));
  return path;
}

interface Installed {
  readonly helm: (...args: readonly string[]) => string;
  readonly namespace: string;
}

/** Without pods, waiting and hooks that wait for pods have no end here; the whole node has them. */
async function install(t: TestContext, major: HelmMajor, ...values: readonly string[]): Promise<Installed> {
  const program: Helm = await provideHelm(major);
  const namespace = cluster().makeNamespace(restricted);
  const helm = (...args: readonly string[]): string =>
    program.run([...args, "--namespace", namespace], { kubeconfig: cluster().kubeconfig });
  // Definitions that were kept belong to the namespace of the release before, and are to be taken over.
  helm("install", "mailboat", chartFolder, ...withImage, "--take-ownership", ...values);
  t.after(() => {
    if (helm("list", "--short").includes("mailboat")) helm("uninstall", "mailboat", "--no-hooks");
  });
  return { helm, namespace };
}

const definitions = ["mailrelays.mailboat.dev", "senderdomains.mailboat.dev"].map(
  (name) => `customresourcedefinition.apiextensions.k8s.io/${name}`,
);

for (const major of helmMajors) {
  test(`Helm ${major} installs, upgrades, rolls back and uninstalls, and the definitions stay`, { skip }, async (t) => {
    const { helm, namespace } = await install(t, major, "--set", "replicas=2");
    const replicas = (): unknown =>
      (read("deployment", "mailboat-operator", namespace)["spec"] as { replicas: number }).replicas;
    assert.equal(replicas(), 2);
    assert.match(helm("get", "notes", "mailboat"), new RegExp(`--serviceaccount ${namespace}:mailboat-operator`));
    helm("upgrade", "mailboat", chartFolder, ...withImage, "--set", "replicas=3");
    assert.equal(replicas(), 3);
    helm("rollback", "mailboat", "1");
    assert.equal(replicas(), 2);
    helm("uninstall", "mailboat", "--no-hooks");
    assert.deepEqual(list("deployments,serviceaccounts,roles,poddisruptionbudgets,networkpolicies", namespace), []);
    assert.deepEqual(list("customresourcedefinitions"), definitions);
    // A new release takes the definitions over that the old one left.
    helm("install", "mailboat", chartFolder, ...withImage);
    assert.equal(replicas(), 1);
  });
}

/** The chart as it was when the role that namespaces bind had one name for all releases. */
function chartOfBefore(t: TestContext): string {
  const copy = mkdtempSync(join(tmpdir(), "mailboat-chart-"));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(chartFolder, copy, { recursive: true });
  const rewrite = (file: string, from: string, to: string): void => {
    const path = join(copy, "templates", file);
    const [head, tail, ...more] = readFileSync(path, "utf8").split(from);
    assert.ok(head !== undefined && tail !== undefined && more.length === 0, from);
    writeFileSync(path, head + to + tail);
  };
  rewrite("_names.tpl", '{{ include "mailboat.fullname" . }}-secrets', "mailboat-secrets");
  const binding = "kind: ClusterRoleBinding\nmetadata:\n  name: ";
  rewrite("rbac.yaml", `${binding}{{ $secretsRole }}`, `${binding}{{ $name }}-secrets`);
  return copy;
}

const secretsRoles = ["mail-mailboat-secrets", "mailboat-secrets"].map(
  (name) => `clusterrole.rbac.authorization.k8s.io/${name}`,
);

for (const major of helmMajors) {
  test(
    `Helm ${major} upgrades a release of another name, and bindings by hand still have their role`,
    { skip },
    async (t) => {
      const program: Helm = await provideHelm(major);
      const namespace = cluster().makeNamespace();
      const helm = (...args: readonly string[]): string =>
        program.run([...args, "--namespace", namespace], { kubeconfig: cluster().kubeconfig });
      const wide = [...withImage, "--set", "rbac.secrets.clusterWide=true"];
      const roles = (): readonly string[] => list("clusterroles").filter((name) => name.endsWith("mailboat-secrets"));
      helm("install", "mail", chartOfBefore(t), "--take-ownership", ...wide);
      t.after(() => {
        for (const name of helm("list", "--short").split("\n").filter(Boolean)) helm("uninstall", name, "--no-hooks");
      });
      assert.deepEqual(roles(), secretsRoles.slice(1));
      helm("upgrade", "mail", chartFolder, ...wide);
      assert.deepEqual(roles(), secretsRoles);
      helm("upgrade", "mail", chartFolder, ...wide);
      assert.deepEqual(roles(), secretsRoles);
      // It is one release's: another makes none of that name, and runs into none.
      helm("install", "other", chartFolder, ...withImage, "--set", "className=other,crds.enabled=false");
      helm("uninstall", "other", "--no-hooks");
      assert.deepEqual(roles(), secretsRoles);
      helm("rollback", "mail", "1");
      assert.deepEqual(roles(), secretsRoles.slice(1));
      helm("upgrade", "mail", chartFolder, ...wide);
      // Once nobody binds it any more it can be taken away, and does not come back.
      cluster().kubectl(["delete", "clusterrole", "mailboat-secrets"]);
      helm("upgrade", "mail", chartFolder, ...wide);
      assert.deepEqual(roles(), secretsRoles.slice(0, 1));
      helm("uninstall", "mail", "--no-hooks");
      assert.deepEqual(roles(), []);
    },
  );
}

test(
  "pods of the operator, of the test and of the uninstallation are admitted under the restricted standard",
  { skip },
  async () => {
    const namespace = cluster().makeNamespace(restricted);
    const objects = (await provideHelm()).render({}, ["--namespace", namespace]);
    const pods = objects.flatMap((object) => podsOf(object));
    assert.deepEqual(pods.map(({ owner }) => owner).toSorted(), ["Deployment", "Job", "Pod"]);
    for (const { owner, template } of pods) {
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "probe", namespace }, spec: template };
      const answer = cluster().kubectl(["create", "--dry-run=server", "-f", "-"], JSON.stringify(pod));
      assert.match(answer, /pod\/probe created/, owner);
    }
    const root = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "root", namespace },
      spec: { containers: [{ name: "a", image: "a" }] },
    };
    assert.throws(
      () => cluster().kubectl(["create", "--dry-run=server", "-f", "-"], JSON.stringify(root)),
      /restricted/,
    );
  },
);

function podsOf(object: Rendered): readonly { readonly owner: string; readonly template: object }[] {
  const { template, containers } = (object["spec"] ?? {}) as { template?: { spec: object }; containers?: unknown };
  if (template !== undefined && object.apiVersion !== "mailboat.dev/v1alpha1")
    return [{ owner: object.kind, template: template.spec }];
  return containers === undefined ? [] : [{ owner: object.kind, template: object["spec"] as object }];
}

const scopes = [
  {
    name: "for every namespace, with Secrets where they are bound",
    values: (space: string) => `rbac.secrets.namespaces={${space}}`,
    lacks: [],
  },
  // Labels of namespaces are the cluster's: without them namespaces are selected by name alone.
  { name: "for a list of namespaces", values: (space: string) => `watchNamespaces={${space}}`, lacks: ["namespaces"] },
] as const;

for (const { name, values, lacks } of scopes) {
  test(
    `the rights of the chart are enough ${name}; released, a MailRelay can be deleted with no operator`,
    { skip },
    async (t) => {
      const space = cluster().makeNamespace();
      const { namespace } = await install(t, 4, "--set", values(space));
      const container = (read("deployment", "mailboat-operator", namespace)["spec"] as Workload).template.spec
        .containers[0];
      const env = Object.fromEntries(
        container.env.flatMap(({ name: key, value }) => (value === undefined ? [] : [[key, value]])),
      );
      const operator = OperatorProgram.start({
        kubeconfig: kubeconfigOf(namespace, "mailboat-operator"),
        namespace,
        identity: `of-${namespace}`,
        logFile: join(directory, `operator-${namespace}.log`),
        env,
      });
      t.after(() => operator.kill());
      await operator.leading();
      const from = cluster().audit().length;
      const manifests = [relayManifest({ namespace: space, name: "outbound" }), managedDomain(space)];
      cluster().kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: manifests }));
      await until("the StatefulSet", () => list("statefulsets", space).length === 1);
      await until("an event", () => list("events", space).length > 0);
      const refusals = cluster()
        .audit()
        .slice(from)
        .filter(({ code, user }) => code === 403 && user.includes(`${namespace}:mailboat-operator`));
      assert.deepEqual([...new Set(refusals.map(({ resource }) => resource))], lacks);
      assert.equal(await operator.stop(), 0);

      cluster().kubectl(["delete", "mailrelay", "outbound", "--namespace", space, "--wait=false"]);
      assert.deepEqual(list("mailrelays", space), ["mailrelay.mailboat.dev/outbound"]);
      await runRelease(namespace, env);
      assert.deepEqual(list("mailrelays", space), []);
    },
  );
}

test(
  "a release that takes the definitions along ends in good order, also with no MailRelay left",
  { skip },
  async (t) => {
    const { helm, namespace } = await install(t, 4, "--set", "crds.keep=false");
    helm("uninstall", "mailboat", "--no-hooks");
    await until("the definitions to go", () => list("customresourcedefinitions").length === 0);
    await runRelease(namespace, {});
  },
);

interface Workload {
  readonly template: {
    readonly spec: { readonly containers: readonly [{ readonly env: readonly { name: string; value?: string }[] }] };
  };
}

function managedDomain(namespace: string): object {
  return domainManifest({ namespace, name: "example-com", spec: { dkim: { managed: { algorithms: ["Ed25519"] } } } });
}

async function runRelease(namespace: string, env: Readonly<Record<string, string>>): Promise<void> {
  const flags = ["--kubeconfig", cluster().kubeconfig, "--namespace", namespace];
  const program = new Program({
    command: [process.execPath, join(repositoryRoot, "operator/main.ts"), "release", ...flags],
    env,
    logFile: join(directory, `release-${namespace}.log`),
  });
  assert.equal(await program.exited, 0);
}

/** The commands among the words of NOTES.txt: each begins a line, and goes on to the end of what it reads. */
function commandsOf(notes: string): readonly string[] {
  return [...notes.matchAll(/^kubectl .*<<'END'\n[^]*?^END$|^kubectl .*$/gm)].map(([command]) => command);
}

/** Lines as they are printed, in the repository; waiting for pods, and hooks that have some, have no end here. */
async function type(helm: string, block: string): Promise<string> {
  const here = block
    .replaceAll(" --wait", "")
    .replaceAll("helm uninstall", "helm uninstall --no-hooks")
    .replaceAll("kubectl delete namespace", "kubectl delete namespace --wait=false");
  const kubectl = `kubectl() { ${(await provideControlPlane()).kubectl} --kubeconfig=${cluster().kubeconfig} "$@"; }`;
  const script = `${kubectl}\nhelm() { ${helm} --kubeconfig=${cluster().kubeconfig} "$@"; }\ncd ${repositoryRoot}\n${here}`;
  const env = helmPlaces(join(directory, "helm"));
  const { code, output } = await runCommand("bash", ["-euo", "pipefail", "-c", script], { env, deadlineMs: 120_000 });
  assert.equal(code, 0, `${here}\n${output}`);
  return output;
}

test(
  "from the first installation to nothing left, as README, the chart and the how-to page print it",
  { skip },
  async () => {
    const helm = await provideHelmProgram(4);
    cluster().kubectl(["delete", "customresourcedefinitions", "--all", "--ignore-not-found"]);
    const readme = blockTexts("README.md", "sh");
    const found = (words: string): string => readme.find((text) => text.includes(words)) ?? "";
    await type(helm, found("docker-registry"));
    assert.deepEqual(list("secrets", "mailboat-system"), ["secret/my-registry"]);
    // The image is made on another machine.
    await type(helm, found("helm install").replace(/^make image .*\n/m, ""));
    const notes = commandsOf(await type(helm, "helm get notes mailboat --namespace mailboat-system"));
    assert.equal(notes.length, 5);
    for (const command of notes) {
      assert.match(command, /--namespace |^kubectl create namespace |^kubectl apply --filename - <<'END'/);
      await type(helm, command);
    }
    const manifests =
      notes
        .find((command) => command.includes("<<'END'"))
        ?.split("\n")
        .slice(1, -1)
        .join("\n") ?? "";
    const examples = ["relay", "domain"].map((name) =>
      readFileSync(join(repositoryRoot, `examples/cluster/${name}.yaml`), "utf8"),
    );
    assert.deepEqual(objectsOf(manifests), examples.flatMap(objectsOf));
    assert.deepEqual(list("mailrelays,senderdomains", "mail"), [
      "mailrelay.mailboat.dev/outbound",
      "senderdomain.mailboat.dev/example-com",
    ]);
    const template = blockTexts("docs/gitops.md", "sh").find((text) => text.startsWith("helm template"));
    assert.doesNotMatch(await type(helm, template ?? ""), /helm\.sh\/hook:/);
    await type(helm, found("helm upgrade").replaceAll("NEW", "0.2.0"));
    const [container] = (read("deployment", "mailboat-operator", "mailboat-system")["spec"] as Workload).template.spec
      .containers;
    assert.match(JSON.stringify(container), /your\.registry\.example\/mailboat:0\.2\.0/);

    const keeps = blockTexts("docs/how-to/back-up-and-restore.md", "sh").find((text) =>
      text.startsWith("helm get values"),
    );
    const kept = join(directory, "chart-values.yaml");
    await type(helm, (keeps ?? "").replace("chart-values.yaml", kept));
    assert.match(readFileSync(kept, "utf8"), /repository: your\.registry\.example\/mailboat/);

    const blocks = blockTexts("docs/how-to/delete-everything.md", "sh");
    const [byHand = "", ...inOrder] = [...blocks.slice(-1), ...blocks.slice(0, -1)];
    assert.match(byHand, /finalizers/);
    await type(helm, byHand);
    for (const block of inOrder) await type(helm, block);
    // It goes with its namespace, which nothing ends here.
    cluster().kubectl(["delete", "secret", "my-registry", "--namespace", "mailboat-system"]);
    assert.deepEqual(list("customresourcedefinitions"), []);
    assert.deepEqual(list("deployments,serviceaccounts,roles,networkpolicies,secrets", "mailboat-system"), []);
    assert.deepEqual(
      list("clusterroles,clusterrolebindings").filter((name) => name.includes("mailboat")),
      [],
    );
  },
);

function objectsOf(text: string): readonly unknown[] {
  return parseAllDocuments(text).map((document) => {
    const object: unknown = document.toJS();
    return object;
  });
}

for (const { set, says, saysNot } of [
  { set: "className=second", says: /^ {2}className: second$/m, saysNot: /watchNamespaces/ },
  { set: "watchNamespaces={shop}", says: /^ {2}namespace: shop$/m, saysNot: /kubectl create|namespace: mail$/m },
  { set: "rbac.secrets.namespaces={post}", says: /^ {2}namespace: post$/m, saysNot: /kubectl create/ },
  { set: "rbac.secrets.clusterWide=true", says: /^kubectl create namespace mail$/m, saysNot: /rolebinding/ },
  { set: "imagePullSecrets[0].name=own", says: /copy own to mail\./, saysNot: /watchNamespaces/ },
]) {
  test(`the chart's last words with ${set}`, { skip }, async () => {
    const notes = (await provideHelm()).run([
      "install",
      "mailboat",
      chartFolder,
      "--dry-run=client",
      ...withImage,
      "--set",
      set,
    ]);
    const words = notes.slice(notes.indexOf("NOTES:"));
    assert.match(words, says);
    assert.doesNotMatch(words, saysNot);
  });
}

/** The chart where others set the rules: quotas, OpenShift, autoscalers, GitOps, umbrella charts, private registries. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync, mkdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import {
  chartFolder,
  type Helm,
  helmMajors,
  imageRepository,
  lackingHelm,
  provideHelm,
  type Rendered,
  withImage,
} from "../support/helm.ts";

const skip = lackingHelm();
const helms = new Map<number, Helm>();
if (skip === false) for (const major of helmMajors) helms.set(major, await provideHelm(major));

function helm(): Helm {
  const current = helms.get(4);
  if (current === undefined) throw new Error("no Helm");
  return current;
}

interface PodSpec {
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly tolerations?: readonly object[];
  readonly nodeSelector?: object;
  readonly serviceAccountName?: string;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly containers: readonly { readonly name: string; readonly resources?: unknown }[];
}

/** The pods of operator, uninstallation and test. */
function podsOf(objects: readonly Rendered[]): ReadonlyMap<string, PodSpec> {
  const pods = objects.flatMap((object): [string, PodSpec][] => {
    if (object.kind === "Pod") return [["test", object["spec"] as PodSpec]];
    if (object.kind !== "Deployment" && object.kind !== "Job") return [];
    const { template } = object["spec"] as { readonly template: { readonly spec: PodSpec } };
    return [[object.kind === "Job" ? "release" : "operator", template.spec]];
  });
  return new Map(pods);
}

function testRelayPod(objects: readonly Rendered[]): PodSpec {
  const relay = objects.find(({ kind }) => kind === "MailRelay");
  if (relay === undefined) throw new Error("no MailRelay of the test");
  return (relay["spec"] as { readonly pod: PodSpec }).pod;
}

test("credentials of a registry reach every pod, however the umbrella chart writes them", { skip }, () => {
  const objects = helm().render({
    imagePullSecrets: [{ name: "own" }],
    global: { imagePullSecrets: ["shared", { name: "other" }, { name: "own" }] },
  });
  const wanted = [{ name: "own" }, { name: "shared" }, { name: "other" }];
  const pods = podsOf(objects);
  assert.deepEqual([...pods.keys()].toSorted(), ["operator", "release", "test"]);
  for (const [name, pod] of pods) assert.deepEqual(pod.imagePullSecrets, wanted, name);
});

test("pods of test and uninstallation go where the operator's may go, and so does the test's relay", { skip }, () => {
  const tolerations = [{ key: "dedicated", operator: "Exists" }];
  const nodeSelector = { pool: "mail" };
  const objects = helm().render({ "operator.tolerations": tolerations, "operator.nodeSelector": nodeSelector });
  for (const [name, pod] of [...podsOf(objects), ["relay", testRelayPod(objects)] as const]) {
    assert.deepEqual([pod.tolerations, pod.nodeSelector], [tolerations, nodeSelector], name);
  }
});

test("a quota that asks for limits can be met by every pod", { skip }, () => {
  const resources = { requests: { cpu: "1m", memory: "1Mi" }, limits: { cpu: "1", memory: "1Gi" } };
  const objects = helm().render({
    "operator.resources": resources,
    "uninstall.resources": resources,
    "test.resources": resources,
  });
  for (const [name, pod] of podsOf(objects)) assert.deepEqual(pod.containers[0]?.resources, resources, name);
  assert.deepEqual((testRelayPod(objects) as { readonly resources?: unknown }).resources, resources);
});

test("namespaces whose names are numbers stay text", { skip }, () => {
  const objects = helm().render({ watchNamespaces: ["1234", "2024"] }, ["--namespace", "2024"]);
  const places = objects.flatMap(({ metadata }) => (metadata.namespace === undefined ? [] : [metadata.namespace]));
  assert.ok(places.includes("1234"));
  for (const object of objects) {
    assert.notEqual(typeof object.metadata.namespace, "number", `${object.kind} ${object.metadata.name}`);
    const { subjects = [] } = object as { readonly subjects?: readonly { readonly namespace: unknown }[] };
    for (const subject of subjects) assert.equal(subject.namespace, "2024", `${object.kind} ${object.metadata.name}`);
    for (const value of environmentValues(object)) assert.equal(typeof value, "string");
  }
  const one = helm().render({ watchNamespaces: ["1234"] });
  assert.ok(one.flatMap(environmentValues).includes("1234"));
});

function environmentValues(object: Rendered): readonly unknown[] {
  const found: unknown[] = [];
  JSON.stringify(object, (key, value: unknown) => {
    if (key === "env" && Array.isArray(value)) {
      for (const one of value as { readonly value?: unknown }[]) if (one.value !== undefined) found.push(one.value);
    }
    return value;
  });
  return found;
}

for (const major of helmMajors) {
  test(`Helm ${major}: part of another chart, switched on by a condition`, { skip }, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "mailboat-umbrella-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "charts"));
    symlinkSync(chartFolder, join(folder, "charts/mailboat"));
    const dependencies = "[{name: mailboat, version: 0.1.0, condition: mailboat.enabled}]";
    writeFileSync(
      join(folder, "Chart.yaml"),
      `apiVersion: v2\nname: umbrella\nversion: 1.0.0\ndependencies: ${dependencies}\n`,
    );
    const render = (enabled: boolean, ...more: readonly string[]): string =>
      helms.get(major)?.run(["template", "all", folder, "--set", `mailboat.enabled=${enabled}`, ...more]) ?? "";
    const image = `mailboat.image.repository=${imageRepository}`;
    assert.match(render(true, "--set", image), /name: all-mailboat-operator/);
    assert.doesNotMatch(render(false), /mailboat-operator/);
    assert.match(render(true, "--set", `${image},global.cattle.systemProjectId=p-1`), /name: all-mailboat-operator/);
    assert.throws(
      () => render(true, "--set", `${image},mailboat.replica=2`),
      /replica: is no value: did you mean replicas\?/,
    );
    assert.throws(() => render(true), /image\.repository: name the image/);
  });
}

test(
  "who makes rights and accounts by hand gets none of the chart, not for the uninstallation either",
  { skip },
  () => {
    const objects = helm().render({
      "rbac.create": false,
      "serviceAccount.create": false,
      "serviceAccount.name": "given",
    });
    const kinds = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    assert.deepEqual(
      objects.filter(({ kind }) => kinds.includes(kind)).map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      [],
    );
    assert.equal(podsOf(objects).get("release")?.serviceAccountName, "given");
  },
);

test("labels of one's own replace the chart's, and those that pods are found by are refused", { skip }, () => {
  const part = "app.kubernetes.io/part-of";
  const objects = helm().render({
    commonLabels: { team: "mail", [part]: "platform" },
    commonAnnotations: { owner: "mail" },
    "operator.labels": { [part]: "operators" },
    replicas: 2,
    "priorityClass.create": true,
    "metrics.monitor": "ServiceMonitor",
    "alerts.enabled": true,
    "dashboards.enabled": true,
  });
  const bare = objects.filter(({ kind }) => kind !== "CustomResourceDefinition");
  assert.ok(bare.length > 20);
  for (const { kind, metadata } of bare) {
    const { labels = {}, annotations = {} } = metadata;
    assert.deepEqual(
      [labels["team"], labels[part], annotations["owner"]],
      ["mail", "platform", "mail"],
      `${kind} ${metadata.name}`,
    );
  }
  const deployment = objects.find(({ kind }) => kind === "Deployment")?.["spec"] as {
    readonly template: { readonly metadata: Rendered["metadata"] };
  };
  assert.equal(deployment.template.metadata.labels?.[part], "operators");
  for (const where of ["commonLabels", "operator.labels"]) {
    const says = new RegExp(`${where}: pods are found by the label app.kubernetes.io/name: leave it out`);
    assert.throws(() => helm().render({ [where]: { "app.kubernetes.io/name": "mine" } }), says);
  }
});

for (const major of helmMajors) {
  test(`Helm ${major}: ids are left to OpenShift where it gives them, and to whoever takes them out`, { skip }, () => {
    const contexts = (set: Readonly<Record<string, unknown>>, ...args: readonly string[]): readonly unknown[] =>
      [...podsOf(helms.get(major)?.render(set, ["--kube-version", "1.36.3", ...args]) ?? []).values()].map(
        ({ securityContext }) => securityContext,
      );
    const usual = {
      runAsNonRoot: true,
      runAsUser: 64464,
      runAsGroup: 64464,
      seccompProfile: { type: "RuntimeDefault" },
    };
    const free = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
    assert.deepEqual(contexts({}), [usual, usual, usual].slice(0, contexts({}).length));
    assert.equal(contexts({}).length, 3);
    assert.deepEqual(contexts({}, "--api-versions", "security.openshift.io/v1"), [free, free, free]);
    const without = { "operator.podSecurityContext.runAsUser": null, "operator.podSecurityContext.runAsGroup": null };
    assert.deepEqual(contexts(without), [free, free, free]);
    const other = { ...usual, runAsUser: 1000 };
    assert.deepEqual(contexts({ "operator.podSecurityContext.runAsUser": 1000 }), [other, other, other]);
  });
}

test("an autoscaler may take the node of an operator away, and meshes are told what ports speak", { skip }, () => {
  const objects = helm().render({ "metrics.monitor": "ServiceMonitor" });
  const deployment = objects.find(({ kind }) => kind === "Deployment")?.["spec"] as {
    readonly template: { readonly metadata: Rendered["metadata"]; readonly spec: { readonly volumes: unknown[] } };
  };
  const { metadata, spec } = deployment.template;
  assert.equal(metadata.annotations?.["cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"], "tmp");
  assert.deepEqual(spec.volumes, [{ name: "tmp", emptyDir: { sizeLimit: "64Mi" } }]);
  const ports = objects
    .filter(({ kind }) => kind === "Service")
    .flatMap((service) => (service["spec"] as { readonly ports: readonly { readonly appProtocol?: string }[] }).ports);
  assert.deepEqual(new Set(ports.map(({ appProtocol }) => appProtocol)), new Set(["http", "tcp"]));
  assert.equal(ports.length, 2);
});

test("two renderings are the same to the letter, also with the test in them", { skip }, () => {
  const args = ["template", "mailboat", chartFolder, "--namespace", "mail", ...withImage];
  assert.equal(helm().run(args), helm().run(args));
  const kinds = helm()
    .render({ "test.enabled": false })
    .map(({ kind }) => kind);
  assert.ok(!kinds.includes("MailRelay") && !kinds.includes("Pod"));
});

test("what others expect of a chart: arguments, volumes, hosts, budgets, monitors, alerts, objects", { skip }, () => {
  const objects = helm().render({
    replicas: 2,
    revisionHistoryLimit: 1,
    strategy: { type: "Recreate" },
    "operator.extraArgs": ["--workers=4"],
    "operator.extraVolumes": [{ name: "bundle", configMap: { name: "bundle" } }],
    "operator.extraVolumeMounts": [{ name: "bundle", mountPath: "/bundle", readOnly: true }],
    "operator.hostAliases": [{ ip: "192.0.2.1", hostnames: ["kubernetes.example"] }],
    "operator.dnsConfig": { options: [{ name: "ndots", value: "1" }] },
    "podDisruptionBudget.minAvailable": "50%",
    "networkPolicy.extraIngress": [{ ports: [{ port: 15008, protocol: "TCP" }] }],
    "metrics.monitor": "PodMonitor",
    "metrics.namespace": "monitoring",
    "metrics.scrapeTimeout": "5s",
    "metrics.metricRelabelings": [{ action: "labeldrop", regex: "pod" }],
    "alerts.enabled": true,
    "alerts.extraLabels": { team: "mail" },
    "alerts.disabled": ["MailboatMailWaiting"],
    extraObjects: [
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-text'}",
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "object" } },
    ],
  });
  const spec = (kind: string): Readonly<Record<string, unknown>> =>
    objects.find((object) => object.kind === kind)?.["spec"] as Readonly<Record<string, unknown>>;
  const deployment = spec("Deployment");
  assert.deepEqual([deployment["revisionHistoryLimit"], deployment["strategy"]], [1, { type: "Recreate" }]);
  const text = JSON.stringify(deployment);
  for (const part of [
    '"args":["run","--workers=4"]',
    "192.0.2.1",
    "ndots",
    '"mountPath":"/bundle"',
    '"configMap":{"name":"bundle"}',
  ]) {
    assert.ok(text.includes(part), part);
  }
  const budget = spec("PodDisruptionBudget");
  assert.deepEqual([budget["minAvailable"], budget["maxUnavailable"]], ["50%", undefined]);
  assert.match(JSON.stringify(spec("NetworkPolicy")), /15008/);
  const monitor = objects.find(({ kind }) => kind === "PodMonitor");
  assert.equal(monitor?.metadata.namespace, "monitoring");
  assert.match(JSON.stringify(monitor["spec"]), /"matchNames":\["mailboat-system"\].*"scrapeTimeout":"5s"/);
  const rules = JSON.stringify(spec("PrometheusRule"));
  assert.ok(!rules.includes("MailboatMailWaiting"));
  const { groups } = spec("PrometheusRule") as {
    readonly groups: { readonly rules: { readonly alert?: string; readonly labels: { readonly team: string } }[] }[];
  };
  assert.ok(
    groups.flatMap((group) => group.rules).every(({ alert, labels }) => alert === undefined || labels.team === "mail"),
  );
  const maps = objects.filter(({ kind }) => kind === "ConfigMap").map(({ metadata }) => metadata.name);
  assert.ok(maps.includes("mailboat-text") && maps.includes("object"), maps.join(" "));
  assert.throws(
    () => helm().render({ "podDisruptionBudget.minAvailable": 1, "podDisruptionBudget.maxUnavailable": 1 }),
    /podDisruptionBudget: minAvailable contradicts maxUnavailable/,
  );
});

test("the operator asks for the memory at which it rests", { skip }, () => {
  const container = podsOf(helm().render()).get("operator")?.containers[0];
  const { requests } = parse(JSON.stringify(container?.resources)) as {
    readonly requests: { readonly memory: string };
  };
  assert.equal(requests.memory, "256Mi");
});

/** Values that the chart refuses, and the words: what is wrong by itself, what contradicts another, and what has another name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { chartFolder, type Helm, helmMajors, lackingHelm, provideHelm, withImage } from "../support/helm.ts";

const skip = lackingHelm();
const helms = new Map<number, Helm>();
if (skip === false) for (const major of helmMajors) helms.set(major, await provideHelm(major));

function helm(): Helm {
  const current = helms.get(4);
  if (current === undefined) throw new Error("no Helm");
  return current;
}

const refused: readonly { readonly set: Readonly<Record<string, unknown>>; readonly says: RegExp }[] = [
  {
    set: { "leaderElection.renewDeadline": "15s" },
    says: /leaderElection\.renewDeadline: must be shorter than leaseDuration/,
  },
  {
    set: { "leaderElection.renewDeadline": "13s" },
    says: /leaderElection\.renewDeadline: must be shorter than leaseDuration by three seconds or more/,
  },
  {
    set: { leaderElection: { leaseDuration: "4s", renewDeadline: "1s", retryPeriod: "1s" } },
    says: /'\/leaderElection\/leaseDuration': '4s' does not match pattern/,
  },
  {
    set: { "leaderElection.retryPeriod": "6s" },
    says: /leaderElection\.retryPeriod: must be half of renewDeadline or less/,
  },
  {
    set: { "leaderElection.leaseDuration": "15" },
    says: /'\/leaderElection\/leaseDuration': '15' does not match pattern/,
  },
  { set: { "relay.maxRollouts": 0 }, says: /'\/relay\/maxRollouts': minimum/ },
  {
    set: { "image.repository": "" },
    says: /image\.repository: name the image that your nodes pull, without its tag, for example --set/,
  },
  { set: { "image.repository": null }, says: /image\.repository: name the image/ },
  { set: { replicas: "two" }, says: /'\/replicas': got string, want integer/ },
  { set: { replicas: -1 }, says: /'\/replicas': minimum/ },
  { set: { "image.repository": "mailboat:1.0" }, says: /'\/image\/repository': .*does not match pattern/ },
  { set: { "image.digest": "sha256:abc" }, says: /'\/image\/digest': .*does not match pattern/ },
  {
    set: { "image.pullPolicy": "Sometimes" },
    says: /'\/image\/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'/,
  },
  { set: { watchNamespaces: "mail" }, says: /'\/watchNamespaces': got string, want array/ },
  { set: { watchNamespaces: ["Mail"] }, says: /'\/watchNamespaces\/0': 'Mail' does not match pattern/ },
  {
    set: { "metrics.monitor": "Podmonitor" },
    says: /'\/metrics\/monitor': value must be one of 'None', 'PodMonitor', 'ServiceMonitor'/,
  },
  { set: { "operator.logLevel": "verbose" }, says: /'\/operator\/logLevel': value must be one of/ },
  { set: { imagePullSecrets: [{ nam: "a" }] }, says: /'\/imagePullSecrets\/0'/ },
  {
    set: { "documentation.url": "https://git.example.com/" },
    says: /'\/documentation\/url': .*does not match pattern/,
  },
  {
    set: { watchNamespaces: ["mail"], "rbac.secrets.clusterWide": true },
    says: /rbac\.secrets\.clusterWide: contradicts watchNamespaces.*set one of them/,
  },
  {
    set: { watchNamespaces: ["mail"], "rbac.secrets.namespaces": ["mail"] },
    says: /rbac\.secrets\.namespaces: .*leave it empty/,
  },
  {
    set: { "rbac.create": false, "rbac.secrets.clusterWide": true },
    says: /rbac\.secrets: nothing is bound while rbac\.create is false/,
  },
  {
    set: { "tracing.endpoint": "collector:4318" },
    says: /'\/tracing\/endpoint': 'collector:4318' does not match pattern/,
  },
  { set: { "tracing.samplingRatio": "2" }, says: /'\/tracing\/samplingRatio': '2' does not match pattern/ },
  { set: { "tracing.caSecretName": "ca" }, says: /tracing\.endpoint: name the collector/ },
  { set: { "serviceAccount.create": false }, says: /serviceAccount\.name: name the account to use/ },
];

for (const { set, says } of refused) {
  test(`refused: ${JSON.stringify(set)}`, { skip }, () => {
    assert.throws(() => helm().render(set), says);
  });
}

/** What somebody writes, and what the chart has: slips of the pen, values in another group, names of other charts. */
const misnamed: readonly (readonly [string, unknown, string])[] = [
  ["replicaCount", 2, "replicaCount: is no value: did you mean replicas?"],
  ["operator.replica", 2, "operator.replica: is no value: did you mean replicas?"],
  ["operator.resources.limit", {}, "operator.resources.limit: is no value: did you mean operator.resources.limits?"],
  ["crds.install", true, "crds.install: is no value: did you mean crds.enabled?"],
  ["installCRDs", true, "installCRDs: is no value: did you mean crds.enabled?"],
  ["image.Repository", "a", "image.Repository: is no value: did you mean image.repository?"],
  ["logLevel", "debug", "logLevel: is no value: did you mean operator.logLevel?"],
  ["resources", {}, "resources: is no value: did you mean operator.resources?"],
  ["podAnnotations", {}, "podAnnotations: is no value: did you mean operator.annotations?"],
  ["serviceMonitor.enabled", true, "serviceMonitor: is no value: did you mean metrics.monitor?"],
  ["image.pullSecrets", [], "image.pullSecrets: is no value: did you mean imagePullSecrets?"],
  [
    "strategy.rollingUpdate.maxSurges",
    1,
    "strategy.rollingUpdate.maxSurges: is no value: did you mean strategy.rollingUpdate.maxSurge?",
  ],
  ["dashboards.zzz", 1, "dashboards.zzz: is no value: dashboards has enabled, namespace, labels, annotations"],
  ["x", 1, "x: is no value: this chart has image, imagePullSecrets, "],
  ["image\\.tag", "2", "image.tag: no value has a dot in its name: write one map in the other"],
];

/** Helm 3 takes itself for an old one. */
const kubernetes = ["--kube-version", "1.36.3"];

for (const major of helmMajors) {
  test(
    `Helm ${major}: a name that the chart does not know is refused with the nearest one, in lint as well`,
    { skip },
    () => {
      const one = helms.get(major);
      assert.ok(one !== undefined);
      for (const [name, value, says] of misnamed) {
        const given = new RegExp(says.replaceAll(/[.?\\[\]]/g, "\\$&"));
        assert.throws(() => one.render({ [name]: value }, kubernetes), given, name);
      }
      const [name, value, says] = misnamed[1] ?? ["", "", ""];
      const words = new RegExp(says.replaceAll(/[.?]/g, "\\$&"));
      assert.throws(
        () => one.run(["lint", chartFolder, ...withImage, "--set-json", `${name}=${JSON.stringify(value)}`]),
        words,
      );
      // A missing repository is for an installation to complain of.
      assert.throws(
        () => one.run(["template", "mailboat", chartFolder, ...kubernetes]),
        /image\.repository: name the image/,
      );
    },
  );
}

test("what others write below global, and labels of any name, are not ours to judge", { skip }, () => {
  const set = {
    global: { cattle: { systemProjectId: "p-1" }, imagePullSecrets: [], anything: { at: "all" } },
    enabled: true,
    "operator.labels": { "example.com/team": "mail" },
    "operator.resources": { limits: { "example.com/gpu": 1 } },
    "operator.nodeSelector": { "kubernetes.io/os": "linux" },
  };
  assert.ok(helm().render(set).length > 10);
});

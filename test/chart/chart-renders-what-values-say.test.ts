/** The chart without a cluster: what it renders, for whom, and what it refuses. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { customResourceDefinitions } from "../../api/crd/definition.ts";
import { readCommand } from "../../operator/settings.ts";
import { startAsIn } from "../bench/asinchart.ts";
import {
  chartFolder,
  type Helm,
  helmMajors,
  lackingHelm,
  provideHelm,
  type Rendered,
  withImage,
} from "../support/helm.ts";
import { unpackFormerRelease } from "../support/node/formerrelease.ts";

const skip = lackingHelm();
const helms = new Map<number, Helm>();
if (skip === false) for (const major of helmMajors) helms.set(major, await provideHelm(major));

function helm(): Helm {
  const current = helms.get(4);
  if (current === undefined) throw new Error("no Helm");
  return current;
}

function named(objects: readonly Rendered[], kind: string, name = /./): readonly Rendered[] {
  return objects.filter((object) => object.kind === kind && name.test(object.metadata.name));
}

function only(objects: readonly Rendered[], kind: string, name = /./): Rendered {
  const [found, ...more] = named(objects, kind, name);
  if (found === undefined || more.length > 0)
    throw new Error(`${more.length + (found ? 1 : 0)} of ${kind} ${name.source}`);
  return found;
}

interface PodTemplate {
  readonly spec: {
    readonly priorityClassName?: string;
    readonly containers: readonly {
      readonly image: string;
      readonly args: readonly string[];
      readonly env: readonly { readonly name: string; readonly value?: string }[];
    }[];
  };
}

interface PodOwner {
  readonly template: PodTemplate;
}

function operatorPod(objects: readonly Rendered[]): PodTemplate {
  return (only(objects, "Deployment")["spec"] as PodOwner).template;
}

function operatorContainer(objects: readonly Rendered[]): PodTemplate["spec"]["containers"][number] {
  const [container] = operatorPod(objects).spec.containers;
  if (container === undefined) throw new Error("no container");
  return container;
}

for (const major of helmMajors) {
  test(`Helm ${major} finds no fault, and every Kubernetes from 1.31 on gets the same objects`, { skip }, () => {
    const one = helms.get(major);
    assert.ok(one !== undefined);
    assert.match(one.run(["version", "--short"]), new RegExp(`^v${major}\\.`));
    assert.match(one.run(["lint", "--strict", chartFolder]), /0 chart\(s\) failed/);
    const versions = ["1.31.0", "1.33.4", "1.36.3", "1.37.0-alpha.1"];
    const rendered = versions.map((version) => one.render({ replicas: 2 }, ["--kube-version", version]));
    for (const objects of rendered.slice(1)) assert.deepEqual(lasting(objects), lasting(rendered[0] ?? []));
    assert.throws(() => one.render({}, ["--kube-version", "1.30.9"]), /requires kubeVersion: >=1\.31\.0-0/);
  });
}

/** What stays while the release is there; hooks come and go, and the password of `helm test` is another one each time. */
function lasting(objects: readonly Rendered[]): readonly Rendered[] {
  return objects.filter(({ metadata }) => metadata.annotations?.["helm.sh/hook"] === undefined);
}

test("every value is in the schema, and the schema knows no other", { skip }, () => {
  const values: unknown = parse(readFileSync(join(chartFolder, "values.yaml"), "utf8"));
  const schema: unknown = JSON.parse(readFileSync(join(chartFolder, "values.schema.json"), "utf8"));
  const inSchema = schemaPaths(schema as Schema, "").filter((path) => !/^(?:global|enabled)\b/.test(path));
  const free = ["resources.", "env.", "dashboards.labels.", "SecurityContext."];
  const inValues = valuePaths(values, "").filter((path) => !free.some((part) => path.includes(part)));
  assert.deepEqual(
    inValues.toSorted(),
    inSchema.filter((path) => !free.some((part) => path.includes(part))).toSorted(),
  );
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
}

function schemaPaths({ properties = {} }: Schema, path: string): string[] {
  return Object.entries(properties).flatMap(([name, part]) => {
    const place = path === "" ? name : `${path}.${name}`;
    return [place, ...schemaPaths(part, place)];
  });
}

function valuePaths(value: unknown, path: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, part]: [string, unknown]) => {
    const place = path === "" ? name : `${path}.${name}`;
    return [place, ...valuePaths(part, place)];
  });
}

test("the CustomResourceDefinitions are those of the schemas, kept and left out as the values say", { skip }, () => {
  const rendered = named(helm().render(), "CustomResourceDefinition");
  const wanted = customResourceDefinitions().map((definition): unknown => JSON.parse(JSON.stringify(definition)));
  const bare = rendered.map(({ metadata, ...rest }) => ({ ...rest, metadata: { name: metadata.name } }));
  assert.deepEqual(bare, wanted);
  const policies = (objects: readonly Rendered[]): unknown[] =>
    objects.map(({ metadata }) => metadata.annotations?.["helm.sh/resource-policy"]);
  assert.deepEqual(policies(rendered), ["keep", "keep"]);
  const mortal = named(helm().render({ "crds.keep": false }), "CustomResourceDefinition");
  assert.deepEqual(policies(mortal), [undefined, undefined]);
  assert.deepEqual(named(helm().render({ "crds.enabled": false }), "CustomResourceDefinition"), []);
});

test("benches start the operator as its Deployment does, memory as a share of its limit", { skip }, () => {
  const started = startAsIn(only(helm().render(), "Deployment"));
  assert.deepEqual(started, {
    nodeFlags: ["--max-semi-space-size=2", "--max-old-space-size=128"],
    env: { MALLOC_ARENA_MAX: "1" },
  });
  const set = { "operator.resources": { limits: { memory: "1Gi" } } };
  const [, oldSpace] = startAsIn(only(helm().render(set), "Deployment")).nodeFlags;
  assert.equal(oldSpace, "--max-old-space-size=256");
});

test("the operator understands what its Deployment tells it", { skip }, () => {
  const set = { watchNamespaces: ["mail", "shop"], "operator.workers": 8, "operator.logLevel": "debug" };
  const { args, env } = operatorContainer(helm().render(set));
  const given = Object.fromEntries(env.map(({ name, value }) => [name, value ?? "from-the-pod"]));
  const command = readCommand(args, given);
  assert.ok(command.verb === "run");
  const { relayImage, namespaces, serviceAccount, leaseName, workers, logLevel, port } = command.settings;
  assert.deepEqual(
    { relayImage, namespaces, serviceAccount, leaseName, workers, logLevel, port },
    {
      relayImage: "registry.example/mailboat:0.1.0",
      namespaces: ["mail", "shop"],
      serviceAccount: "mailboat-operator",
      leaseName: "mailboat-operator",
      workers: 8,
      logLevel: "debug",
      port: 9464,
    },
  );
});

test("the operator knows its own image, the relays' and how long its lease lasts", { skip }, () => {
  const settingsOf = (set: Readonly<Record<string, unknown>>) => {
    const { args, env } = operatorContainer(helm().render(set));
    const command = readCommand(args, Object.fromEntries(env.map(({ name, value }) => [name, value ?? "x"])));
    assert.ok(command.verb === "run");
    const { ownImage, relayImage, leaseTimes, maxRollouts } = command.settings;
    return { ownImage, relayImage, leaseTimes, maxRollouts };
  };
  const image = "registry.example/mailboat:0.1.0";
  assert.deepEqual(settingsOf({}), {
    ownImage: image,
    relayImage: image,
    leaseTimes: { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
    maxRollouts: 10,
  });
  const set = {
    "relay.image.tag": "older",
    "relay.maxRollouts": 3,
    leaderElection: { leaseDuration: "60s", renewDeadline: "40s", retryPeriod: "5s" },
  };
  assert.deepEqual(settingsOf(set), {
    ownImage: image,
    relayImage: "registry.example/mailboat:older",
    leaseTimes: { durationMs: 60_000, renewDeadlineMs: 40_000, retryMs: 5_000 },
    maxRollouts: 3,
  });
});

test("the uninstallation has the time that it waits for a lease, however long that is, and some more", { skip }, () => {
  for (const [leaseDuration, seconds] of [
    ["15s", 240],
    ["3600s", 7_410],
  ] as const) {
    const { activeDeadlineSeconds, template } = only(
      helm().render({ "leaderElection.leaseDuration": leaseDuration }),
      "Job",
    )["spec"] as PodOwner & { readonly activeDeadlineSeconds: number };
    assert.equal(activeDeadlineSeconds, seconds);
    const [container] = template.spec.containers;
    const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value ?? "x"]));
    const command = readCommand(container?.args ?? [], env);
    assert.ok(command.verb === "release");
    assert.ok(activeDeadlineSeconds * 1_000 - command.settings.patienceMs >= 180_000);
  }
});

test("the operator's traces go where the values say, and nowhere by default", { skip }, () => {
  const tracingOf = (set: Readonly<Record<string, unknown>>): unknown => {
    const { args, env } = operatorContainer(helm().render(set));
    // The CA's path is the one where the Secret is mounted; the headers come from the Secret alone.
    const given = env.map(({ name, value }) => [name, value ?? (name.endsWith("HEADERS") ? "a=b" : "x")] as const);
    const command = readCommand(args, Object.fromEntries(given));
    assert.ok(command.verb === "run");
    return command.settings.tracing;
  };
  assert.equal(tracingOf({}), undefined);
  const endpoint = "https://otel-collector.observability:4318";
  const plain = { endpoint, samplingRatio: 1, headers: {}, protocol: "http/protobuf", caFile: undefined };
  assert.deepEqual(tracingOf({ "tracing.endpoint": endpoint }), plain);
  const set = {
    "tracing.endpoint": endpoint,
    "tracing.samplingRatio": "0.25",
    "tracing.headersSecretName": "collector-headers",
    "tracing.caSecretName": "collector-ca",
  };
  const whole = { ...plain, samplingRatio: 0.25, headers: { a: "b" }, caFile: "/etc/mailboat/collector/ca.crt" };
  assert.deepEqual(tracingOf(set), whole);
  const pod = JSON.stringify(operatorPod(helm().render(set)));
  const mounted = [
    { name: "OTEL_EXPORTER_OTLP_HEADERS", valueFrom: { secretKeyRef: { name: "collector-headers", key: "headers" } } },
    { name: "collector-ca", mountPath: "/etc/mailboat/collector", readOnly: true },
    { name: "collector-ca", secret: { secretName: "collector-ca", items: [{ key: "ca.crt", path: "ca.crt" }] } },
  ];
  for (const part of mounted) {
    // Helm gives the members of an object in alphabetical order.
    assert.ok(pod.includes(JSON.stringify(part)) || pod.includes(sortedJson(part)), JSON.stringify(part));
  }
});

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}

const digest = `sha256:${"0".repeat(64)}`;
const images: readonly {
  readonly set: Readonly<Record<string, unknown>>;
  readonly operator: string;
  readonly relay: string;
}[] = [
  { set: { "image.tag": "2" }, operator: "registry.example/mailboat:2", relay: "registry.example/mailboat:2" },
  {
    set: { "image.digest": digest },
    operator: `registry.example/mailboat@${digest}`,
    relay: `registry.example/mailboat@${digest}`,
  },
  {
    set: { "image.tag": "2", "image.digest": digest, "relay.image.tag": "1" },
    operator: `registry.example/mailboat@${digest}`,
    relay: "registry.example/mailboat:1",
  },
  {
    set: { "image.repository": "localhost:5000/a", "relay.image.repository": "localhost:5000/b" },
    operator: "localhost:5000/a:0.1.0",
    relay: "localhost:5000/b:0.1.0",
  },
];

for (const { set, operator, relay } of images) {
  test(`images of ${JSON.stringify(set).slice(0, 60)}`, { skip }, () => {
    const container = operatorContainer(helm().render(set));
    assert.equal(container.image, operator);
    assert.equal(container.env.find(({ name }) => name === "RELAY_IMAGE")?.value, relay);
  });
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** To resources. */
function rulesOf(objects: readonly Rendered[]): readonly Rule[] {
  return rulesIn(objects).filter((rule) => !("nonResourceURLs" in rule)) as readonly Rule[];
}

function rulesIn(objects: readonly Rendered[]): readonly object[] {
  return objects.flatMap((object) => object["rules"] as readonly object[]);
}

test("rights are named one by one, and the cluster's Secrets are not among them", { skip }, () => {
  const objects = lasting(helm().render({ "rbac.secrets.namespaces": ["mail"] }));
  const everywhere = only(objects, "ClusterRoleBinding");
  const role = only(objects, "ClusterRole", new RegExp(`^${everywhere.metadata.name}$`));
  const rules = rulesOf([...named(objects, "ClusterRole"), ...named(objects, "Role")]);
  assert.deepEqual(
    rules.filter(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs].includes("*")),
    [],
  );
  assert.ok(!rulesOf([role]).some(({ resources }) => resources.includes("secrets")));
  assert.deepEqual(
    rulesIn([...named(objects, "ClusterRole"), ...named(objects, "Role")]).filter((rule) => "nonResourceURLs" in rule),
    [{ nonResourceURLs: ["/.well-known/openid-configuration", "/openid/v1/jwks"], verbs: ["get"] }],
  );
  const bound = named(objects, "RoleBinding", /^mailboat-secrets$/).map(({ metadata }) => metadata.namespace);
  assert.deepEqual(bound, ["mail"]);
  const own = (set: Readonly<Record<string, unknown>>): readonly string[] =>
    rulesOf([only(lasting(helm().render(set)), "Role", /-own$/)]).flatMap(({ resources }) => resources);
  assert.deepEqual(own({}), ["leases", "secrets", "configmaps"]);
  // There it has no relays, or its Role as every namespace of the list.
  assert.deepEqual(own({ watchNamespaces: ["mail"] }), ["leases", "secrets"]);
  // A binding cannot change its role: one that is called after it never has to.
  for (const set of [{}, { fullnameOverride: "mail-mailboat" }]) {
    const binding = only(
      helm().render({ "rbac.secrets.clusterWide": true, ...set }),
      "ClusterRoleBinding",
      /-secrets$/,
    );
    const { name } = binding.metadata;
    assert.deepEqual(binding["roleRef"], { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name });
  }
});

test("with a list of namespaces our own kinds are all that is given outside them", { skip }, () => {
  const objects = lasting(helm().render({ watchNamespaces: ["mail", "shop"] }));
  const bound = named(objects, "ClusterRoleBinding").map(({ metadata }) => metadata.name);
  assert.deepEqual(bound, ["mailboat-operator-kinds"]);
  const given = rulesOf(named(objects, "ClusterRole", /-kinds$/));
  assert.deepEqual([...new Set(given.flatMap(({ apiGroups }) => apiGroups))], ["mailboat.dev"]);
  const verbs = new Set(given.flatMap((rule) => rule.verbs));
  assert.deepEqual([...verbs].toSorted(), ["get", "list", "patch", "update", "watch"]);
  for (const space of ["mail", "shop"]) {
    const roles = named(objects, "Role").filter(({ metadata }) => metadata.namespace === space);
    // Whoever may make no ClusterRole has everything in each namespace.
    for (const rule of given) assert.ok(JSON.stringify(rulesOf(roles)).includes(JSON.stringify(rule)), space);
  }
});

test(
  "with a list of namespaces people's roles cover our kinds, and messages name a role that is there",
  { skip },
  () => {
    const objects = helm().render({ watchNamespaces: ["mail", "shop"] });
    const aggregated = named(objects, "ClusterRole", /-(?:view|edit)$/).map(({ metadata }) => metadata.name);
    assert.deepEqual(aggregated.toSorted(), ["mailboat-edit", "mailboat-view"]);
    for (const set of [{}, { "rbac.finalizers": false }]) {
      const rendered = helm().render({ watchNamespaces: ["mail", "shop"], ...set });
      const role = operatorContainer(rendered).env.find(({ name }) => name === "SECRETS_ROLE")?.value;
      assert.equal(role, "Role/mailboat-operator");
      const places = named(rendered, "Role", /^mailboat-operator$/).map(({ metadata }) => metadata.namespace);
      assert.deepEqual(places, ["mail", "shop"]);
    }
  },
);

/** What of a release lies in no namespace, or in that of others. */
function shared(objects: readonly Rendered[]): readonly string[] {
  return objects
    .filter(({ kind, metadata }) => kind !== "CustomResourceDefinition" && metadata.namespace !== "own")
    .map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`);
}

test("two releases for the whole cluster share no object, and messages of each name its own role", { skip }, () => {
  const set = { "rbac.secrets.namespaces": ["mail"], className: "second", "crds.enabled": false };
  const first = lasting(helm().render(set, ["--namespace", "own"]));
  const second = lasting(helm().render({ ...set, fullnameOverride: "second" }, ["--namespace", "own"]));
  const both = shared(first).filter((one) => shared(second).includes(one));
  assert.ok(shared(first).length > 3);
  assert.deepEqual(both, []);
  for (const [objects, role] of [
    [first, "mailboat-secrets"],
    [second, "second-secrets"],
  ] as const) {
    const told = operatorContainer(objects).env.find(({ name }) => name === "SECRETS_ROLE")?.value;
    assert.equal(told, `ClusterRole/${role}`);
    const rules = rulesOf([only(objects, "ClusterRole", new RegExp(`^${role}$`))]);
    assert.deepEqual(
      rules.map(({ resources, verbs }) => [resources, verbs]),
      [
        [["secrets"], ["get", "list", "watch", "create", "patch"]],
        [["configmaps"], ["get", "list", "watch"]],
      ],
    );
    const bound = only(objects, "RoleBinding", new RegExp(`^${role}$`));
    assert.deepEqual(
      [bound.metadata.namespace, bound["roleRef"]],
      ["mail", { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role }],
    );
  }
  // Whoever makes roles by hand has them under the usual name.
  const byHand = operatorContainer(helm().render({ "rbac.create": false }));
  assert.equal(
    byHand.env.find(({ name }) => name === "SECRETS_ROLE"),
    undefined,
  );
});

test("whoever may make no ClusterRole needs none", { skip }, () => {
  const objects = helm().render({ watchNamespaces: ["mail", "shop"], "rbac.finalizers": false });
  assert.deepEqual([...named(objects, "ClusterRole"), ...named(objects, "ClusterRoleBinding")], []);
  const places = named(lasting(objects), "RoleBinding").map(({ metadata }) => metadata.namespace);
  assert.deepEqual(places, ["mailboat-system", "mail", "shop"]);
});

test("with a list of namespaces their labels can be shown to the operator, and nothing more", { skip }, () => {
  const objects = helm().render({ watchNamespaces: ["mail"], "rbac.namespaceLabels": true, "rbac.finalizers": false });
  const given = rulesOf(named(objects, "ClusterRole"));
  assert.deepEqual(given, [{ apiGroups: [""], resources: ["namespaces"], verbs: ["list", "watch"] }]);
  const names = named(objects, "ClusterRoleBinding").map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ["mailboat-operator-namespaces"]);
});

test("helm test is there where the operator looks after the release's namespace", { skip }, () => {
  const tests = (...watched: readonly string[]): number =>
    named(helm().render({ watchNamespaces: watched }, ["--namespace", "own"]), "MailRelay").length;
  assert.deepEqual([tests(), tests("mail", "own"), tests("mail")], [1, 1, 0]);
});

test("what is switched on comes, and nothing else", { skip }, () => {
  const plain = helm().render();
  for (const kind of ["PodDisruptionBudget", "PriorityClass", "PodMonitor", "ServiceMonitor", "PrometheusRule"]) {
    assert.deepEqual(named(plain, kind), [], kind);
  }
  const all = helm().render({ replicas: 2, "priorityClass.create": true, "metrics.monitor": "PodMonitor" });
  assert.equal(named(all, "PodDisruptionBudget").length, 1);
  assert.equal(operatorPod(all).spec.priorityClassName, only(all, "PriorityClass").metadata.name);
  assert.equal(only(all, "PodMonitor").apiVersion, "monitoring.coreos.com/v1");
  assert.equal(named(helm().render({ "networkPolicy.enabled": false }), "NetworkPolicy").length, 0);
});

test("dashboards and alerts in the chart's folders are shipped when they are switched on", { skip }, (t) => {
  const copy = mkdtempSync(join(tmpdir(), "mailboat-chart-"));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(chartFolder, copy, { recursive: true });
  writeFileSync(join(copy, "dashboards/of-the-test.json"), '{"title": "{{ of the test }}"}\n');
  const groups = [
    { name: "of-the-test", rules: [{ alert: "Late", expr: "1", annotations: { summary: "{{ $value }}" } }] },
  ];
  writeFileSync(join(copy, "alerts/of-the-test.yaml"), JSON.stringify({ groups }));
  const switches = ["--set", "dashboards.enabled=true,alerts.enabled=true,dashboards.labels.team=mail"];
  const objects = helm()
    .run(["template", "mailboat", copy, ...withImage, ...switches])
    .split("\n---\n")
    .map((text): unknown => parse(text));
  const found = objects.filter((object): object is Rendered => typeof object === "object" && object !== null);
  const map = only(found, "ConfigMap", /dashboard-of-the-test$/);
  assert.deepEqual(map["data"], { "mailboat-of-the-test.json": '{"title": "{{ of the test }}"}\n' });
  assert.equal(map.metadata.labels?.["grafana_dashboard"], "1");
  assert.equal(map.metadata.labels["team"], "mail");
  const rule = only(found, "PrometheusRule")["spec"] as { readonly groups: unknown[] };
  assert.deepEqual(
    rule.groups.filter((group) => (group as { name: string }).name === "of-the-test"),
    groups,
  );
});

test("with the values of the chart before, whatever is new is as values.yaml says", { skip }, (t) => {
  const scratch = mkdtempSync(join(tmpdir(), "mailboat-chart-"));
  t.after(() => rmSync(scratch, { recursive: true, force: true }));
  const former = join(unpackFormerRelease(scratch), "charts/mailboat/values.yaml");
  // What `helm upgrade --reuse-values` does: the values of the chart before take the place of this one's.
  const reusing = join(scratch, "reusing");
  cpSync(chartFolder, reusing, { recursive: true });
  cpSync(former, join(reusing, "values.yaml"));
  const everythingOn = "alerts.enabled=true,dashboards.enabled=true,metrics.monitor=PodMonitor,replicas=2";
  for (const major of helmMajors) {
    const rendered = [[reusing], [chartFolder, "--values", former]].map((chart) =>
      (
        helms.get(major)?.run(["template", "mailboat", ...chart, "--kube-version", "1.36.3", "--set", everythingOn]) ??
        ""
      )
        .split("\n---\n")
        .map((text): unknown => parse(text)),
    );
    assert.ok((rendered[0]?.length ?? 0) > 20);
    assert.deepEqual(rendered[0], rendered[1], `Helm ${major}`);
  }
});

/** The links of panels that lead to a page of ours. */
function documentLinks(objects: readonly Rendered[]): readonly string[] {
  const found: string[] = [];
  for (const { metadata, ...map } of named(objects, "ConfigMap", /-dashboard-/)) {
    const [text = ""] = Object.values(map["data"] as Readonly<Record<string, string>>);
    JSON.parse(text, (key, value: unknown) => {
      if (key === "url" && typeof value === "string" && value.includes("docs/")) found.push(value);
      return value;
    });
    assert.ok(text.includes('"panels"'), metadata.name);
  }
  return found;
}

function runbooks(objects: readonly Rendered[]): readonly Readonly<Record<string, string>>[] {
  const { groups } = only(objects, "PrometheusRule")["spec"] as {
    readonly groups: readonly {
      readonly rules: readonly { readonly annotations?: Readonly<Record<string, string>> }[];
    }[];
  };
  return groups.flatMap(({ rules }) =>
    rules.flatMap(({ annotations }) => (annotations === undefined ? [] : [annotations])),
  );
}

test("alerts and panels lead to where the documents are kept, and to no address that is not there", { skip }, () => {
  const on = { "alerts.enabled": true, "dashboards.enabled": true };
  const bare = helm().render(on);
  assert.deepEqual(documentLinks(bare), []);
  const told = runbooks(bare);
  assert.ok(told.length > 15);
  for (const { runbook, runbook_url: link } of told) {
    assert.match(runbook ?? "", /^docs\/operations\.md#[a-z0-9-]+$/);
    assert.equal(link, undefined);
  }
  const url = "https://git.example.com/mail/mailboat/src/branch/main";
  const kept = helm().render({ ...on, "documentation.url": url });
  const links = documentLinks(kept);
  assert.ok(links.length > 5);
  for (const link of links) assert.ok(link.startsWith(`${url}/docs/operations.md#`), link);
  assert.deepEqual(
    runbooks(kept).map(({ runbook_url: link, runbook }) => [link, runbook]),
    told.map(({ runbook = "" }) => [`${url}/${runbook}`, undefined]),
  );
  // Of links of others nothing is lost: but for ours the dashboards are as they were written.
  const written = readFileSync(join(chartFolder, "dashboards/fleet.json"), "utf8");
  const fleet = only(bare, "ConfigMap", /-dashboard-fleet$/)["data"] as Readonly<Record<string, string>>;
  assert.deepEqual(withoutOurs(JSON.parse(Object.values(fleet)[0] ?? "")), withoutOurs(JSON.parse(written)));
  const chart = readFileSync(join(chartFolder, "Chart.yaml"), "utf8");
  assert.doesNotMatch(chart, /https?:/);
});

/** Links to pages of this repository taken out, wherever they stand. */
function withoutOurs(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inside: unknown) =>
      key === "links" && Array.isArray(inside)
        ? inside.filter((link: { readonly url?: string }) => link.url?.startsWith("docs/") !== true)
        : inside,
    ),
  );
}

/**
 * From one MailRelay and three SenderDomains to every object, byte for byte: one golden file an object.
 * `UPDATE_GOLDEN=1 node --test` writes them anew; the difference is then read like any other change.
 */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { templateAnnotation } from "../../../api/labels.ts";
import {
  authorityPem,
  authoritySecretOf,
  domainOf,
  domainWorld,
  ed25519Key,
  internalAuthoritySecretOf,
  now,
  installation,
  relayOf,
  relayWorld,
  secretOf,
} from "../../../test/support/operatorobjects.ts";
import { shardLabel } from "../../../api/labels.ts";
import type { AppliedObject, Secret } from "../../kube/objects.ts";
import { decodeData, encodeData } from "../../kube/secret.ts";
import { readShard } from "../../kube/shard.ts";
import { shardOf, shardSecretName } from "../../binding/shards.ts";
import { relayDocumentOf } from "../document.ts";
import { renderNetworkPolicy } from "./networkpolicy.ts";
import { renderPodMonitor } from "./podmonitor.ts";
import { renderClientService } from "./service.ts";
import { renderStatefulSet } from "./statefulset.ts";
import { internalAuthority, makeCertificateAuthority } from "../../trust/issue.ts";
import { planDomain, planRelay } from "../../../test/support/plans.ts";

const authority = authoritySecretOf(await makeCertificateAuthority(now));
const podsAuthority = internalAuthoritySecretOf(await makeCertificateAuthority(now, internalAuthority));
const folder = join(import.meta.dirname, "golden");

const relay = relayOf({
  replicas: 2,
  listeners: [
    { name: "submission", port: 587 },
    { name: "smtp", port: 25, authentication: "Optional", proxyProtocol: { trustedNetworks: ["10.0.0.0/24"] } },
  ],
  tls: { certManager: { issuerRef: { name: "letsencrypt", kind: "ClusterIssuer" } } },
  tenants: [
    { name: "own", namespaces: { from: "Same" } },
    { name: "others", namespaces: { from: "All" }, domains: ["*.example.com", "example.com"] },
  ],
  spool: { storage: { size: "1Gi", storageClassName: "fast" } },
  delivery: {
    smarthosts: [
      {
        name: "first",
        host: "smtp.example.net",
        port: 587,
        credentialsRef: { name: "hop" },
        caRef: { name: "hop-ca" },
      },
      { name: "other-1", host: "capture.mailboat.localhost", port: 25, tlsMode: "None" },
    ],
    retry: { first: "30s", max: "1h30m" },
  },
  tracing: {
    endpoint: "https://collector.example.com:4318",
    samplingRatio: "0.25",
    headersRef: { name: "collector-headers" },
    trustedNextHops: ["smtp.example.net"],
  },
  monitoring: { from: [{ namespaceSelector: { matchLabels: { team: "monitoring" } } }] },
  pod: {
    image: "images.example.com/relay:1",
    resources: { requests: { cpu: "500m" } },
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "dedicated", operator: "Exists" }],
    labels: { team: "platform", "mailboat.dev/serving": "never" },
    annotations: { "example.com/contact": "platform" },
    priorityClassName: "mail",
  },
  service: {
    type: "LoadBalancer",
    annotations: { "example.com/internal": "true" },
    externalTrafficPolicy: "Local",
    loadBalancerSourceRanges: ["10.0.0.0/8"],
  },
});

const key = secretOf({ name: "key", values: { privateKey: ed25519Key } });

function domainsWith(addresses: readonly string[]) {
  return ["example.com", "shop.example.com", "erp.example.com"].map((domain, index) =>
    domainOf({
      name: domain.replaceAll(".", "-"),
      namespace: "shop",
      spec: {
        domain,
        dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] },
        localParts: index === 1 ? addresses : ["*"],
      },
    }),
  );
}

/** What three reconciles of SenderDomains and one of the MailRelay after them make. */
function everything(addresses: readonly string[] = ["*"]): readonly AppliedObject[] {
  const domains = domainsWith(addresses);
  const shards = new Map<string, Secret>();
  for (const domain of domains) {
    const { write } = planDomain(domainWorld({ relay, domain, secrets: new Map([["key", key]]) }));
    assert.ok(write !== undefined);
    const shard = write.secret.metadata.labels?.[shardLabel] ?? "";
    const data = { ...shards.get(shard)?.data, ...encodeData({ [write.dataKey]: write.text }) };
    shards.set(shard, { ...write.secret, data });
  }
  const plan = planRelay(
    relayWorld({
      relay,
      shards: new Map([...shards].map(([shard, secret]) => [shard, readShard(secret)])),
      domains: new Set(domains.map((domain) => domain.spec.domain)),
      kinds: new Set(["Certificate", "PodMonitor"]),
      secrets: new Map([
        ["hop", secretOf({ name: "hop", values: { username: "u", password: "p" } })],
        ["hop-ca", secretOf({ name: "hop-ca", values: { "ca.crt": authorityPem } })],
        ["collector-headers", secretOf({ name: "collector-headers", values: { authorization: "Bearer t\n" } })],
      ]),
      certificate: secretOf({ name: "outbound-certificate", values: { "tls.crt": "PEM", "tls.key": "PEM" } }),
      internalAuthority: podsAuthority,
    }),
  );
  return [...plan.apply, ...shards.values()];
}

function fileName(object: AppliedObject): string {
  return `${object.kind}.${object.metadata.name}.golden`;
}

/** Secret data as text, so that a change can be read. */
function textOf(object: AppliedObject): string {
  const readable = object.kind === "Secret" ? { ...object, data: decodeData(object) } : object;
  return `${JSON.stringify(readable, undefined, 2)}\n`;
}

test("pods have what the operator was told, unless their MailRelay says otherwise", () => {
  const pods = { imagePullPolicy: "Always", imagePullSecrets: ["registry"], areIdsAssigned: true } as const;
  const podOf = (spec: object) =>
    renderStatefulSet({ relay: relayOf(spec), image: "i", pods, replicas: 1, present: undefined }).spec.template.spec;
  const own = podOf({});
  assert.deepEqual([own.containers[0].imagePullPolicy, own.imagePullSecrets], ["Always", [{ name: "registry" }]]);
  const { runAsUser, runAsGroup, fsGroup, runAsNonRoot } = own.securityContext;
  assert.deepEqual([runAsUser, runAsGroup, fsGroup, runAsNonRoot], [undefined, undefined, undefined, true]);
  assert.deepEqual(podOf({ pod: { imagePullSecrets: [{ name: "mine" }] } }).imagePullSecrets, [{ name: "mine" }]);
  assert.deepEqual(podOf({ pod: { imagePullSecrets: [] } }).imagePullSecrets, []);
  assert.equal(podOf({ pod: { imagePullPolicy: "Never" } }).containers[0].imagePullPolicy, "Never");
});

test("pods run as the manifest says, as far as the restricted standard leaves it open", () => {
  const podOf = (pod: object) =>
    renderStatefulSet({ relay: relayOf({ pod }), image: "i", replicas: 1, present: undefined }).spec.template.spec;
  const stopping = ({ containers: [{ env }] }: ReturnType<typeof podOf>) =>
    env.find(({ name }) => name === "MAILBOAT_STOP_DEADLINE_MS")?.value;
  const usual = podOf({});
  assert.deepEqual([usual.terminationGracePeriodSeconds, stopping(usual)], [60, undefined]);
  const profile = { type: "Localhost", localhostProfile: "relay.json" };
  const pod = podOf({
    imagePullPolicy: "Never",
    securityContext: { runAsUser: 1500, seccompProfile: profile },
    containerSecurityContext: { runAsGroup: 1600 },
    runtimeClassName: "gvisor",
    dnsPolicy: "None",
    dnsConfig: { nameservers: ["10.96.0.10"] },
    hostAliases: [{ ip: "10.0.0.25", hostnames: ["scanner.internal"] }],
    terminationGracePeriod: "2m",
  });
  const { runAsNonRoot, runAsUser, fsGroup, seccompProfile } = pod.securityContext;
  assert.deepEqual([runAsNonRoot, runAsUser, fsGroup, seccompProfile], [true, 1500, 64_464, profile]);
  const [container] = pod.containers;
  assert.equal(container.imagePullPolicy, "Never");
  assert.deepEqual(container.securityContext, {
    runAsGroup: 1600,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  assert.deepEqual([pod.runtimeClassName, pod.dnsPolicy], ["gvisor", "None"]);
  assert.deepEqual(pod.dnsConfig, { nameservers: ["10.96.0.10"] });
  assert.deepEqual(pod.hostAliases, [{ ip: "10.0.0.25", hostnames: ["scanner.internal"] }]);
  assert.deepEqual([pod.terminationGracePeriodSeconds, stopping(pod)], [120, "85000"]);
  assert.equal(stopping(podOf({ terminationGracePeriod: "15s" })), "5000");
});

test("labels and annotations that a person adds stand beside ours and never over them", () => {
  const labelled = relayOf({ service: { labels: { "cost-center": "7", "mailboat.dev/relay": "other" } } });
  const service = renderClientService(labelled);
  const { labels = {} } = service.metadata;
  assert.deepEqual([labels["cost-center"], labels["mailboat.dev/relay"]], ["7", "outbound"]);
  assert.ok(service.spec.ports.every(({ appProtocol }) => appProtocol === "tcp"));
  const evictable = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
  const annotationsOf = (annotations?: object) => {
    const asked = relayOf({ pod: { annotations } });
    const { template } = renderStatefulSet({ relay: asked, image: "i", replicas: 1, present: undefined }).spec;
    const { [templateAnnotation]: mark, ...others } = template.metadata.annotations ?? {};
    assert.match(mark ?? "", /^[0-9a-f]{16}$/);
    return others;
  };
  assert.deepEqual(annotationsOf(), { [evictable]: "tmp" });
  const theirs = { [evictable]: "", a: "b", [templateAnnotation]: "theirs" };
  assert.deepEqual(annotationsOf(theirs), { [evictable]: "", a: "b" });
});

test("who may reach the listeners, further traffic and the watchers are those that the manifest names", () => {
  const ingressOf = (spec: object) => renderNetworkPolicy(relayOf(spec), "mailboat-system").spec.ingress;
  const listeners = [
    { name: "submission", port: 587 },
    { name: "smtp", port: 25, proxyProtocol: { trustedNetworks: ["10.0.0.0/24"] } },
  ];
  const clients = [{ namespaceSelector: { matchLabels: { team: "shop" } } }];
  const extraIngress = [{ from: [{ podSelector: {} }], ports: [{ port: 15_008 }] }, {}];
  const [open, , , watched] = ingressOf({ listeners });
  assert.deepEqual(open, { ports: [{ port: 2587, protocol: "TCP" }] });
  // Of other namespaces the operator alone.
  assert.deepEqual(watched?.from?.[0], { podSelector: {} });
  assert.equal(watched.from[1]?.podSelector?.matchLabels?.["app.kubernetes.io/component"], "operator");
  assert.equal(watched.from.length, 2);
  const [submission, smtp, , , mesh, all] = ingressOf({ listeners, networkPolicy: { clients, extraIngress } });
  assert.deepEqual(submission?.from, clients);
  assert.deepEqual(smtp?.from, [{ ipBlock: { cidr: "10.0.0.0/24" } }]);
  assert.deepEqual(mesh, { from: [{ podSelector: {} }], ports: [{ port: 15_008, protocol: "TCP" }] });
  assert.deepEqual(all, {});
});

test("a listener's own sources go before the clients of all, and pods know those that are networks", () => {
  const office = { ipBlock: { cidr: "203.0.113.0/24" } };
  const shops = { namespaceSelector: { matchLabels: { team: "shop" } } };
  const proxyProtocol = { trustedNetworks: ["10.0.0.0/24"] };
  const guarded = relayOf({
    listeners: [
      { name: "submission", port: 587 },
      { name: "office", port: 2525, sources: [office] },
      { name: "shops", port: 2526, sources: [shops, office] },
      { name: "proxied", port: 2527, sources: [office], proxyProtocol },
    ],
    networkPolicy: { clients: [{ podSelector: {} }] },
  });
  const { ingress } = renderNetworkPolicy(guarded, "mailboat-system").spec;
  assert.deepEqual(
    ingress.slice(0, 4).map(({ from }) => from),
    [[{ podSelector: {} }], [office], [shops, office], [{ ipBlock: { cidr: "10.0.0.0/24" } }]],
  );
  // A pod that is selected by its labels has an address that no manifest names.
  const told = relayDocumentOf(relayWorld({ relay: guarded })).document?.listeners.map(({ sources }) => sources);
  assert.deepEqual(told, [undefined, ["203.0.113.0/24"], undefined, ["203.0.113.0/24"]]);
});

test("networks that name a host in them are written as the networks that they are: the next Kubernetes refuses others", () => {
  const peers = [{ ipBlock: { cidr: "10.1.2.3/8" } }];
  const spec = {
    listeners: [
      { name: "submission", port: 587, sources: peers },
      { name: "smtp", port: 25, proxyProtocol: { trustedNetworks: ["10.1.2.3/8"] } },
      { name: "open", port: 2525 },
    ],
    networkPolicy: { clients: peers, extraIngress: [{ from: peers }] },
    monitoring: { from: peers },
    service: { type: "LoadBalancer", loadBalancerSourceRanges: ["10.1.2.3/8"] },
  };
  const policy = JSON.stringify(renderNetworkPolicy(relayOf(spec), "mailboat-system"));
  assert.deepEqual(policy.match(/"10\.\S*?"/g), Array<string>(5).fill('"10.0.0.0/8"'));
  assert.deepEqual(renderClientService(relayOf(spec)).spec.loadBalancerSourceRanges, ["10.0.0.0/8"]);
});

test("a relay that wants no NetworkPolicy gets none, and its own is taken away, not one that others made", () => {
  const without = relayOf({ networkPolicy: { enabled: false } });
  const own = renderNetworkPolicy(without, "mailboat-system");
  const removedOf = (networkPolicy: typeof own | undefined) => {
    const plan = planRelay(relayWorld({ relay: without, networkPolicy }));
    assert.ok(plan.apply.every(({ kind }) => kind !== "NetworkPolicy"));
    return plan.remove.map(({ kind }) => kind);
  };
  assert.deepEqual(removedOf(own), ["NetworkPolicy"]);
  assert.deepEqual(removedOf(undefined), []);
  assert.deepEqual(removedOf({ ...own, metadata: { ...own.metadata, ownerReferences: [] } }), []);
  assert.deepEqual(planRelay(relayWorld({ networkPolicy: own })).remove, []);
});

test("a PodMonitor has the labels its Prometheus selects by, and its interval in Prometheus' own grammar", () => {
  const podMonitor = { labels: { release: "prometheus", "mailboat.dev/relay": "other" }, interval: "30s1m" };
  const { metadata, spec } = renderPodMonitor(relayOf({ monitoring: { podMonitor } }));
  assert.deepEqual([metadata.labels?.["release"], metadata.labels?.["mailboat.dev/relay"]], ["prometheus", "outbound"]);
  assert.equal(spec.podMetricsEndpoints[0]?.interval, "90000ms");
});

test("a Service says which families and which pods of the cluster its clients get", () => {
  const service = { internalTrafficPolicy: "Local", ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6", "IPv4"] };
  const { spec } = renderClientService(relayOf({ service }));
  const { internalTrafficPolicy, ipFamilyPolicy, ipFamilies } = spec;
  assert.deepEqual({ internalTrafficPolicy, ipFamilyPolicy, ipFamilies }, service);
});

test("certificates are asked for with the names, life and key that the manifest says", () => {
  const certManager = {
    issuerRef: { name: "letsencrypt" },
    dnsNames: ["smtp.example.com", "relay.example.com"],
    duration: "720h",
    renewBefore: "240h",
    algorithm: "ECDSA",
  };
  const asking = relayOf({ tls: { certManager } });
  const plan = planRelay(relayWorld({ relay: asking, kinds: new Set(["Certificate"]) }));
  const asked = plan.apply.find((object) => object.kind === "Certificate");
  assert.deepEqual(asked?.spec.dnsNames, ["relay.example.com", "smtp.example.com"]);
  const { duration, renewBefore, privateKey } = asked.spec;
  assert.deepEqual([duration, renewBefore], ["720h", "240h"]);
  assert.deepEqual(privateKey, { rotationPolicy: "Always", algorithm: "ECDSA", size: 256 });
  const own = planRelay(relayWorld({ relay: relayOf({ tls: { selfSigned: { dnsNames: ["mail"] } } }), authority }));
  assert.ok(own.issueFor?.includes("mail"));
});

test("status says where clients reach the Service, and how many domains the relay has", () => {
  const service = renderClientService(relayOf());
  const inside = {
    ...service,
    spec: { ...service.spec, clusterIP: "10.96.0.7", clusterIPs: ["10.96.0.7", "fd00::7"] },
  };
  const statusOf = (world: object) => planRelay({ ...relayWorld(), ...world }).status;
  assert.deepEqual(statusOf({ service: inside }).addresses, ["10.96.0.7", "fd00::7"]);
  const balanced = { ...inside, spec: { ...inside.spec, type: "LoadBalancer" } };
  const ingress = [{ hostname: "lb.example.net" }, { ip: "203.0.113.7" }];
  assert.equal(statusOf({ service: balanced }).addresses, undefined);
  const told = statusOf({ service: { ...balanced, status: { loadBalancer: { ingress } } } });
  assert.deepEqual(told.addresses, ["lb.example.net", "203.0.113.7"]);
  assert.equal(statusOf({ domains: new Set(["a.example", "b.example"]) }).attachedDomains, 2);
});

test("our own certificates end as the cluster's names do", () => {
  const { issueFor } = planRelay(
    relayWorld({ installation: { ...installation, clusterDomain: "k8s.example" }, authority }),
  );
  assert.ok(issueFor?.includes("outbound.mail.svc.k8s.example"));
});

test("a Service that has got a second family is asked for with both, for as long as both are wished for", () => {
  const asked = (ipFamilyPolicy: string) => relayOf({ service: { ipFamilies: ["IPv4"], ipFamilyPolicy } });
  const first = renderClientService(asked("PreferDualStack"));
  const present = { ...first, spec: { ...first.spec, ipFamilies: ["IPv4", "IPv6"] as const } };
  const familiesIn = (policy: string, there = present) => renderClientService(asked(policy), there).spec.ipFamilies;
  assert.deepEqual(first.spec.ipFamilies, ["IPv4"]);
  assert.deepEqual(familiesIn("PreferDualStack"), ["IPv4", "IPv6"]);
  assert.deepEqual(familiesIn("SingleStack"), ["IPv4"]);
  const other = { ...present, spec: { ...present.spec, ipFamilies: ["IPv6", "IPv4"] as const } };
  assert.deepEqual(renderClientService(asked("PreferDualStack"), other).spec.ipFamilies, ["IPv4"]);
});

test("one MailRelay with three SenderDomains becomes exactly the objects of the golden files", async () => {
  const rendered = new Map(everything().map((object) => [fileName(object), textOf(object)]));
  if (process.env["UPDATE_GOLDEN"] === "1") {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    for (const [name, text] of rendered) await writeFile(join(folder, name), text);
  }
  assert.deepEqual([...rendered.keys()].sort(), (await readdir(folder)).sort());
  for (const [name, text] of rendered) assert.equal(text, await readFile(join(folder, name), "utf8"), name);
});

test("a changed domain changes one data key of one shard and the configuration, and nothing of the pods", () => {
  const before = new Map(everything().map((object) => [fileName(object), object]));
  const changed = everything(["billing"]).filter(
    (object) => JSON.stringify(object) !== JSON.stringify(before.get(fileName(object))),
  );
  const shard = `Secret.${shardSecretName("outbound", shardOf("shop.example.com"))}.golden`;
  assert.deepEqual(changed.map(fileName), ["Secret.outbound-configuration.golden", shard]);
  const [written, last] = [changed[1], before.get(shard)];
  assert.ok(written?.kind === "Secret" && last?.kind === "Secret");
  const keys = Object.keys(written.data).filter((name) => written.data[name] !== last.data[name]);
  assert.deepEqual(keys, ["shop.example.com.json"]);
});

test("a claim template that exists stays as it is, because Kubernetes lets nobody change it", () => {
  const present = renderStatefulSet({ relay, image: "image", replicas: 2, present: undefined });
  const larger = relayOf({ spool: { storage: { size: "5Gi", storageClassName: "other" } } });
  const next = renderStatefulSet({ relay: larger, image: "image", replicas: 2, present });
  assert.deepEqual(next.spec.volumeClaimTemplates, present.spec.volumeClaimTemplates);
});

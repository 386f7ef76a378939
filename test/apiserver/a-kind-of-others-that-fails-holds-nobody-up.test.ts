/**
 * PodMonitors and Certificates that the cluster has and the operator may not list, or cannot: relays do without them, deletion
 * included, one line of the log says so, and they are used once they can be.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FaultProxy, type SeenRequest } from "../support/controlplane/faultproxy.ts";
import { relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { operatorAccount } from "../support/controlplane/rights.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.openOwn(import.meta.url);
    stage.defineKind("monitoring.coreos.com", "PodMonitor");
    stage.defineKind("cert-manager.io", "Certificate");
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const isList =
  (plural: string) =>
  ({ method, path, isWatch }: SeenRequest): boolean =>
    method === "GET" && !isWatch && path.includes(`/${plural}?`);

async function isServed(relay: { readonly namespace: string; readonly name: string }): Promise<void> {
  stage.apply(relayManifest(relay));
  await stage.until("StatefulSet", relay, { what: "is there", fits: () => true });
  await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "True" });
}

async function isDeleted({ namespace, name }: { readonly namespace: string; readonly name: string }): Promise<void> {
  stage.plane.kubectl(["delete", "mailrelay", name, "--namespace", namespace, "--wait=false"]);
  await until("a relay that is gone", async () => (await stage.get("MailRelay", { namespace, name })) === undefined);
}

test("lists and discovery that fail hold up neither a relay nor its deletion", { skip }, async (t) => {
  const proxy = await FaultProxy.start(stage.plane);
  t.after(() => proxy.close());
  const fails = { kind: "answer", code: 500, body: "{}" } as const;
  proxy.rules.push(
    { matches: isList("podmonitors"), fault: fails },
    { matches: ({ path }) => path === "/apis/cert-manager.io/v1", fault: fails },
  );
  const operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy) });
  t.after(() => operator.kill());
  await operator.leading();
  const relay = { namespace: stage.makeNamespace(), name: "outbound" };
  await isServed(relay);
  assert.equal(await operator.figure("mailboat_operator_reconcile_seconds_count", { result: "failure" }), 0);
  await isDeleted(relay);
  // What can be listed again is used.
  const later = { ...relay, name: "later" };
  await isServed(later);
  proxy.rules.length = 0;
  await stage.until("PodMonitor", later, { what: "is there", fits: () => true, deadlineMs: 30_000 });
  assert.equal(await operator.stop(), 0);
});

interface Role {
  /** A rule of paths that are no resources has no groups. */
  readonly rules: readonly { readonly apiGroups?: readonly string[] }[];
}

test("a right that is missing is a kind that is not there, and said once", { skip }, async (t) => {
  const whole = JSON.parse(stage.plane.kubectl(["get", "clusterrole", operatorAccount, "-o", "json"])) as Role;
  const others = ["monitoring.coreos.com", "cert-manager.io"];
  const rules = whole.rules.filter(({ apiGroups = [] }) => !others.some((group) => apiGroups.includes(group)));
  const put = (role: Role): string =>
    stage.plane.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(stripped(role)));
  put({ ...whole, rules });
  t.after(() => put(whole));
  const operator = stage.operator();
  t.after(() => operator.kill());
  await operator.leading();
  const namespace = stage.makeNamespace();
  for (const name of ["one", "two"]) await isServed({ namespace, name });
  const issued = { namespace, name: "issued" };
  const issuerRef = { name: "letsencrypt", kind: "ClusterIssuer" };
  stage.apply(relayManifest({ ...issued, spec: { tls: { certManager: { issuerRef } } } }));
  const asked = { type: "CertificateReady", reason: "CertificatesForbidden" } as const;
  const said = await stage.untilCondition("MailRelay", issued, asked);
  assert.match(said.message, new RegExp(`may not list Certificates of cert-manager\\.io in namespace ${namespace}`));
  await isDeleted({ namespace, name: "two" });
  for (const resource of ["podmonitors", "certificates"]) assert.equal(lines(operator, resource), 1, resource);
  assert.equal(await operator.figure("mailboat_operator_reconcile_seconds_count", { result: "failure" }), 0);
  put(whole);
  const deadlineMs = 30_000;
  await stage.until("PodMonitor", { namespace, name: "one" }, { what: "is there", fits: () => true, deadlineMs });
  await stage.until("Certificate", issued, { what: "is there", fits: () => true, deadlineMs });
  assert.equal(await operator.stop(), 0);
});

/** A Role as it is applied. */
function stripped(role: Role): object {
  const metadata = { name: operatorAccount };
  return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata, rules: role.rules };
}

/** How often the operator's log says that it cannot follow a resource. */
function lines({ program }: OperatorProgram, resource: string): number {
  return program.logs("cannot follow a resource").filter(({ fields }) => fields["resource"] === resource).length;
}

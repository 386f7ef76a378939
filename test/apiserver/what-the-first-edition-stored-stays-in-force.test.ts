/**
 * Resources that were stored in the form of the first edition of v1alpha1, whose fields have other names today. An API server
 * leaves out what its definition does not know, in silence: without its logins and tenants a relay would refuse all mail for good.
 * Pods keep what they have, and conditions name the field and the command that brings a manifest along.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { isFailure } from "../../operator/kube/client/failure.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import type { Kind } from "../../operator/kube/objects.ts";
import { configurationSecretName } from "../../operator/owned/names.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { type Named, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { repositoryRoot } from "../support/results.ts";
import { until } from "../support/until.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";

const skip = lackingControlPlane();
const timeout = 90_000;
let stage: OperatorStage;
let pods: PodStandIn;
let operator: OperatorProgram | undefined;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.openOwn(import.meta.url);
    pods = await startPods(stage.client);
  },
  { timeout: 1_800_000 },
);

afterEach(async () => {
  await operator?.stop();
  operator = undefined;
});

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await stage.close();
});

async function lead(): Promise<void> {
  operator = stage.operator();
  await operator.leading();
}

/** A definition that takes anything, as one does that is long gone. */
function loosen(plural: string): void {
  const path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
  const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const text = { type: "string" };
  // Of SenderDomains the server finds these by their values.
  const value = { ...open, properties: { domain: text, relayRef: { ...open, properties: { name: text } } } };
  const change = JSON.stringify([{ op: "replace", path, value }]);
  stage.plane.kubectl(["patch", "crd", `${plural}.mailboat.dev`, "--type=json", "--patch", change]);
}

/** Stores specs as the first edition had them, and brings today's definitions back. */
async function store(changes: readonly { readonly kind: Kind; readonly place: Named; readonly spec: object }[]) {
  for (const plural of ["mailrelays", "senderdomains"]) loosen(plural);
  for (const { kind, place, spec } of changes) {
    const body = { spec: { ...spec, ofTheFirstEdition: true } };
    await until(`${kind} as it was stored`, async () => {
      const answer = await stage.client.mergePatch(resourceOf(kind), place, { body, fieldManager: "kubectl-edit" });
      return specOf(answer)["ofTheFirstEdition"] === true;
    });
  }
  for (const plural of ["mailrelays", "senderdomains"]) {
    stage.plane.kubectl(["replace", "-f", "-"], readFileSync(join(repositoryRoot, `crds/${plural}.yaml`), "utf8"));
  }
  // The server goes by the definition before for a moment.
  for (const { kind, place } of changes) {
    await until(`${kind} as today's definition shows it`, async () => {
      return specOf(await stage.read(kind, place))["ofTheFirstEdition"] === undefined;
    });
  }
  await until("our rules", async () => {
    const probe = relayManifest({ namespace: "default", name: "probe", spec: { hostname: "two words" } });
    return stage.client.create(resourceOf("MailRelay"), probe, "test").then(
      () => stage.client.delete(resourceOf("MailRelay"), { namespace: "default", name: "probe" }, {}).then(() => false),
      (error: unknown) => isFailure(error, "Invalid"),
    );
  });
}

function specOf(object: RawObject): Readonly<Record<string, unknown>> {
  return object["spec"] as Readonly<Record<string, unknown>>;
}

const logins = { credentials: { secretSelector: { matchLabels: { app: "shop" } } } };

const tenants = [{ name: "all", namespaces: { from: "All" }, domains: ["example.com"] }];

interface Served {
  readonly relay: Named;
  readonly domain: Named;
}

/** A relay with logins, and a domain of another namespace, both in use. */
async function serve(): Promise<Served> {
  await lead();
  const relay = { namespace: stage.makeNamespace(), name: "outbound" };
  const domain = { namespace: stage.makeNamespace(), name: "example-com" };
  const login = {
    type: "kubernetes.io/basic-auth",
    labels: { app: "shop" },
    values: { username: "shop", password: "p" },
  };
  stage.apply(
    secretManifest({ namespace: relay.namespace, name: "shop", ...login }),
    relayManifest({
      ...relay,
      spec: { identities: logins, tenants },
    }),
    domainManifest({ ...domain, spec: { relayRef: relay } }),
  );
  await stage.untilCondition("SenderDomain", domain, { type: "Ready", status: "True" });
  await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True" });
  await operator?.stop();
  return { relay, domain };
}

/** Everything that pods read, and what they run. */
async function inForce({ relay: { namespace, name } }: Served): Promise<unknown> {
  const shard = shardSecretName(name, shardOf("example.com"));
  const configuration = await stage.read("Secret", { namespace, name: configurationSecretName(name) });
  const documents = await stage.read("Secret", { namespace, name: shard });
  const set = await stage.read("StatefulSet", { namespace, name });
  return [configuration["data"], documents["data"], set.metadata["generation"]];
}

test(
  "logins and tenants under their old names stay in force, until the manifest is converted",
  { skip, timeout },
  async () => {
    const served = await serve();
    const { relay, domain } = served;
    const was = await inForce(served);
    await store([
      {
        kind: "MailRelay",
        place: relay,
        spec: {
          identities: null,
          tenants: null,
          authentication: { ...logins, oidc: [] },
          allowedNamespaces: { from: "All", domains: ["example.com"] },
        },
      },
    ]);
    await lead();
    const { message } = await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "False" });
    assert.match(message, /spec\.authentication: .*identities.*convert/);
    assert.match(message, /spec\.allowedNamespaces: .*tenants.*convert/);
    await stage.untilCondition("SenderDomain", domain, { type: "Programmed", status: "True" });
    await stage.untilQuiet();
    assert.deepEqual(await inForce(served), was);
    // What the first edition's server filled in may stay beside what a converted manifest says.
    const body = {
      spec: {
        identities: logins,
        tenants,
        authentication: { credentials: null },
        allowedNamespaces: { from: "Same", domains: null },
      },
    };
    await stage.client.mergePatch(resourceOf("MailRelay"), relay, { body, fieldManager: "kubectl-edit" });
    await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True" });
    await stage.untilCondition("SenderDomain", domain, { type: "Ready", status: "True" });
    assert.deepEqual(await inForce(served), was);
  },
);

test("entries without names keep a domain and its relay as they are", { skip, timeout }, async () => {
  const served = await serve();
  const { relay, domain } = served;
  const was = await inForce(served);
  await store([
    {
      kind: "MailRelay",
      place: relay,
      spec: { delivery: { smarthosts: [{ host: "smtp.example.net", port: 25, tlsMode: "Opportunistic" }] } },
    },
    { kind: "SenderDomain", place: domain, spec: { addresses: ["*"], senders: [{ trustedNetworks: true }] } },
  ]);
  await lead();
  const said = await stage.untilCondition("SenderDomain", domain, { type: "Accepted", status: "False" });
  assert.match(said.message, /spec\.senders\[0\]\.name: is required.*convert/);
  const { message } = await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "False" });
  assert.match(message, /spec\.delivery\.smarthosts\[0\]\.name: is required.*convert/);
  await stage.untilQuiet();
  assert.deepEqual(await inForce(served), was);
});

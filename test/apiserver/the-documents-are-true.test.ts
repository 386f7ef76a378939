/**
 * What the documents tell people to do in a cluster, on a real API server with the garbage collector: the manifests are applied and the
 * commands run as they are printed, by whoever should be able to.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { runCommand } from "../gate/command.ts";
import { garbageCollector, startControllers } from "../support/controlplane/controllers.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControllers, lackingControlPlane, provideControlPlane } from "../support/controlplane/programs.ts";
import { blockTexts } from "../support/documentblocks.ts";
import type { Program } from "../support/program.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane() === false ? lackingControllers() : lackingControlPlane();
const withinMs = 20_000;
let stage: OperatorStage;
let pods: PodStandIn;
let controllers: Program;
let directory: string;

before(
  async () => {
    if (skip !== false) return;
    directory = makeResultsDirectory(import.meta.url, "files");
    stage = await OperatorStage.open(import.meta.url);
    controllers = await startControllers({ plane: stage.plane, directory, controllers: [garbageCollector] });
    await stage.operator().leading();
    pods = await startPods(stage.client);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await controllers.kill("SIGTERM");
  await stage.close();
});

function objectsOf(text: string): readonly RawObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as RawObject);
}

/** The relay that many teams use, and what a team brings. */
function teamManifests(): readonly (readonly RawObject[] | undefined)[] {
  const [relay = ""] = blockTexts("docs/multi-tenancy.md", "yaml");
  const [, joining = ""] = blockTexts("docs/how-to/second-team.md", "yaml");
  return [relay, joining].map(objectsOf);
}

/** The lines of a block, in a shell that has kubectl as this user and its files in a folder of the test. */
async function shell(block: string | undefined, user = "admin"): Promise<string> {
  assert.ok(block !== undefined);
  const { kubectl } = await provideControlPlane();
  const who = user === "admin" ? "" : ` --as=${user}`;
  const mine = block.replaceAll("mailboat-system:mailboat-operator", `${stage.operatorNamespace}:mailboat-operator`);
  const script = `kubectl() { ${kubectl} --kubeconfig=${stage.plane.kubeconfig}${who} "$@"; }\ncd ${directory}\n${mine}`;
  const { code, output } = await runCommand("bash", ["-euo", "pipefail", "-c", script]);
  assert.equal(code, 0, `${script}\n${output}`);
  return output;
}

async function accepted(namespace: string, name: string, reason: string): Promise<string> {
  const wanted = { type: "Accepted", reason, withinMs };
  return (await stage.untilCondition("SenderDomain", { namespace, name }, wanted)).message;
}

test("a second team joins as the page says, and sees what the page says when it may not", { skip }, async () => {
  const [relay, joining] = teamManifests();
  const [namespace, binding, waiting, authority] = blockTexts("docs/how-to/second-team.md", "sh");
  assert.ok(relay?.[0] !== undefined && joining?.[0] !== undefined);
  for (const name of ["mail", "billing"]) stage.plane.kubectl(["create", "namespace", name]);
  stage.giveSecrets("mail");
  stage.apply(...relay);
  await shell(namespace);
  // Nobody aggregates roles here, as a whole cluster does into its role admin.
  for (const role of ["admin", "edit", "view"].map((one) => `system:aggregate-to-${one}`)) {
    const names = ["--namespace=shop", `--clusterrole=${role}`, "--user=tess"];
    stage.plane.kubectl(["create", "rolebinding", role.replace("system:", ""), ...names]);
  }

  stage.apply(...joining);
  assert.match(
    await accepted("shop", "shop-example", "SecretsForbidden"),
    /kubectl create rolebinding mailboat-secrets/,
  );
  await shell(binding, "tess");
  await accepted("shop", "shop-example", "Accepted");
  assert.match(await shell(waiting), /condition met[^]*_domainkey\.shop\.example\. .*IN TXT/);
  await shell(authority);
  assert.match(stage.plane.kubectl(["get", "configmap", "mail-authority", "-n", "shop", "-o", "yaml"]), /BEGIN CERT/);

  const domain = joining[0];
  const like = (at: string, name: string, spec: object): RawObject => ({
    ...domain,
    metadata: { namespace: at, name },
    spec: { ...(domain["spec"] as object), ...spec },
  });
  const smarthosts = [{ name: "own", host: "smtp.example.net", port: 587 }];
  stage.giveSecrets("billing");
  stage.apply(
    like("default", "stranger", { domain: "other.shop.example" }),
    like("shop", "foreign", { domain: "billing.example" }),
    like("shop", "below", { domain: "eu.shop.example", smarthosts }),
    like("shop", "twice", {}),
    like("shop", "lost", { domain: "de.shop.example", relayRef: { name: "nowhere", namespace: "mail" } }),
    like("shop", "empty", {
      domain: "fr.shop.example",
      senders: [{ name: "none", credentials: { secretSelector: { matchLabels: { none: "none" } } } }],
    }),
    like("billing", "billing-example", { domain: "billing.example", smarthosts }),
  );
  assert.match(
    await accepted("default", "stranger", "NamespaceNotAllowed"),
    /\{name: default, namespaces: \{from: Names/,
  );
  assert.match(await accepted("shop", "foreign", "DomainNotAllowed"), /entry shops of spec\.tenants/);
  await accepted("shop", "below", "SmarthostsNotAllowed");
  assert.match(await accepted("shop", "twice", "DomainConflict"), /shop\/shop-example/);
  await accepted("shop", "lost", "RelayNotFound");
  await accepted("shop", "empty", "NoSenders");
  // It is admitted with its own way out; only a login is missing.
  await accepted("billing", "billing-example", "NoSenders");

  stage.plane.kubectl(["label", "namespace", "shop", "example.com/sends-mail-"]);
  await stage.untilCondition(
    "SenderDomain",
    { namespace: "shop", name: "shop-example" },
    { type: "Ready", status: "False" },
  );
  await accepted("shop", "shop-example", "NamespaceNotAllowed");
});

test("keys that were backed up and restored as the page says are those that were published", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const [relay, joining] = teamManifests();
  assert.ok(relay?.[0] !== undefined && joining?.[0] !== undefined);
  const own = { ...relay[0], metadata: { namespace, name: "outbound" } };
  const domain = {
    ...joining[0],
    metadata: { namespace, name: "shop-example" },
    spec: { ...(joining[0]["spec"] as object), relayRef: { name: "outbound" } },
  };
  const place = { namespace, name: "shop-example" };
  const published = async (): Promise<unknown> => (await stage.read("SenderDomain", place))["status"];
  const keys = async (): Promise<readonly RawObject[]> =>
    objectsOf(
      stage.plane.kubectl(["get", "secrets", "-n", namespace, "-l", "mailboat.dev/sender-domain", "-o", "yaml"]),
    ).flatMap((list) => list["items"] as readonly RawObject[]);
  stage.apply(own, domain);
  await stage.untilCondition("SenderDomain", place, { type: "KeysReady", status: "True", withinMs });
  const wanted = JSON.stringify(((await published()) as { dnsRecords: unknown }).dnsRecords);

  const blocks = blockTexts("docs/how-to/back-up-and-restore.md", "sh");
  const [backup] = blocks;
  const restore = blocks.find((text) => text.includes("ownerReferences"));
  const [firstLine = ""] = backup?.split("\n") ?? [];
  await shell(firstLine.replace("--all-namespaces", `--namespace ${namespace}`));
  stage.plane.kubectl(["delete", "senderdomain", "shop-example", "--namespace", namespace]);
  await until("the keys are gone with their domain", async () => (await keys()).length === 0, 60_000);

  const patch = /^kubectl patch [^]*?--filename -$/m.exec(restore ?? "")?.[0];
  await shell(patch);
  const restored = (await keys()).map(({ metadata }) => metadata.uid);
  assert.equal(restored.length, 2);
  // The collector has looked at everything once it has taken away what came after them and is owned by nobody who is there.
  const owner = { apiVersion: "mailboat.dev/v1alpha1", kind: "SenderDomain", name: "gone", uid: "0-gone" };
  const bait = { name: "bait", namespace, ownerReferences: [owner] };
  writeFileSync(join(directory, "bait.json"), JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: bait }));
  await shell("kubectl apply --filename bait.json");
  await until("the bait is gone", async () => (await stage.get("Secret", bait)) === undefined, 60_000);
  stage.apply(domain);
  await stage.untilCondition("SenderDomain", place, { type: "KeysReady", status: "True", withinMs });
  assert.deepEqual(
    (await keys()).map(({ metadata }) => metadata.uid),
    restored,
  );
  assert.equal(JSON.stringify(((await published()) as { dnsRecords: unknown }).dnsRecords), wanted);
});

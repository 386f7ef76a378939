/**
 * From the release before to this one and back while mail flows: whichever operator meets whichever relay, documents are in the
 * words that the relay reads, spools open, and what was accepted arrives.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openClusterStage } from "../support/node/clusterstage.ts";
import { underFlow } from "../support/node/flow.ts";
import { buildFormerRelease, type FormerRelease } from "../support/node/formerrelease.ts";
import { applyExamples, mailNamespace, type MailCluster } from "../support/node/mailcluster.ts";
import { repositoryRoot } from "../support/results.ts";
import { until } from "../support/until.ts";

let former: FormerRelease | undefined;

const scenario = openClusterStage(import.meta.url, async (cluster) => {
  former = buildFormerRelease(cluster.node.plan.directory, "before");
  await cluster.node.importImage(former.archive);
  await cluster.install(["image.tag=before"], join(former.folder, "charts/mailboat"));
  await applyExamples(cluster, former.folder);
  await cluster.patch("mailrelay", "outbound", { delivery: { retry: { first: "1s", max: "5s" } } });
  await cluster.untilCondition("mailrelay", "outbound", { type: "Ready" });
});

/** Which version each document is of, and what a domain's local parts are called in it. */
async function mounted(
  cluster: MailCluster,
): Promise<{ readonly versions: readonly number[]; readonly names: string }> {
  const list = await cluster.node.kubectl(["get", "secrets", "--namespace", mailNamespace, "-o", "json"]);
  const secrets = JSON.parse(list) as { readonly items: readonly { readonly data?: Record<string, string> }[] };
  const texts = secrets.items.flatMap(({ data = {} }) =>
    Object.entries(data)
      .filter(([key]) => key.endsWith(".json"))
      .map(([, text]) => Buffer.from(text, "base64").toString("utf8")),
  );
  const documents = texts.map((text) => JSON.parse(text) as Record<string, unknown>);
  const domain = documents.find((document) => "senderDomain" in document) ?? {};
  return {
    versions: documents.map(({ version }) => Number(version)),
    names: ["addresses", "localParts"].filter((name) => name in domain).join(),
  };
}

/** Marks of the templates that the pods were made from. */
async function templates(cluster: MailCluster): Promise<readonly string[]> {
  const column = "custom-columns=MARK:.metadata.annotations.mailboat\\.dev/template";
  const args = [
    "get",
    "pods",
    "--namespace",
    mailNamespace,
    "-l",
    "mailboat.dev/relay=outbound",
    "--no-headers",
    "-o",
    column,
  ];
  return (await cluster.node.kubectl(args)).trim().split(/\s+/);
}

async function untilImage(cluster: MailCluster, tag: string): Promise<void> {
  const path = "jsonpath={.items[*].spec.containers[0].image}";
  const args = ["get", "pods", "--namespace", mailNamespace, "-l", "mailboat.dev/relay=outbound", "-o", path];
  const isNew = async (): Promise<boolean> => {
    const images = (await cluster.node.kubectl(args)).trim().split(" ");
    return images.length === 2 && images.every((image) => image.endsWith(`:${tag}`));
  };
  await until(`pods of ${tag}`, isNew, 180_000);
  const rollout = ["rollout", "status", "statefulset/outbound", "--namespace", mailNamespace, "--timeout=120s"];
  await cluster.node.kubectl(rollout, { deadlineMs: 130_000 });
}

scenario("relays of the release before go on under this operator, in the words that they read", async (cluster) => {
  await underFlow(cluster, "pinned", async () => {
    await cluster.upgrade(["image.tag=v1", "relay.image.tag=before"]);
    // This operator's template has more in it than the image.
    await until(
      "pods of its template",
      async () => (await templates(cluster)).every((mark) => mark !== "<none>"),
      120_000,
    );
    await untilImage(cluster, "before");
    await cluster.untilCondition("mailrelay", "outbound", { type: "Ready", withinMs: 90_000 });
    // As convert prints it: until then the domain keeps what its relay has of it.
    const converted = join(repositoryRoot, "examples/cluster/domain.yaml");
    await cluster.node.kubectl(["apply", "--namespace", mailNamespace, "--filename", converted]);
    await cluster.untilCondition("senderdomain", "example-com", { type: "Ready" });
    await until("a version in status", async () => (await statusOf(cluster)).documentVersion === 1);
    assert.deepEqual(await mounted(cluster), { versions: [1, 1], names: "addresses" });
  });
});

scenario(
  "with pods of this release they are given this release's words, and nothing is lost on the way",
  async (cluster) => {
    await underFlow(cluster, "upgrade", async () => {
      await cluster.upgrade(["image.tag=v1"]);
      await untilImage(cluster, "v1");
      await until("the newest documents", async () => (await mounted(cluster)).names === "localParts", 60_000);
      assert.deepEqual((await mounted(cluster)).versions, [2, 2]);
      await cluster.untilCondition("mailrelay", "outbound", { type: "Ready", withinMs: 90_000 });
      await cluster.untilCondition("senderdomain", "example-com", { type: "Ready" });
      const { documentVersion, version } = await statusOf(cluster);
      assert.deepEqual([documentVersion, version], [2, "0.1.0"]);
    });
  },
);

scenario("a rollback brings the release before back, with spools that this one wrote", async (cluster) => {
  await underFlow(cluster, "rollback", async () => {
    await cluster.mayArrive(false);
    await until("mail that waits", async () => ((await statusOf(cluster)).queued ?? 0) > 10, 90_000);
    await cluster.helm(["rollback", "mailboat", "1", "--wait", "--timeout", "2m"]);
    await untilImage(cluster, "before");
    await cluster.mayArrive(true);
    await cluster.untilCondition("mailrelay", "outbound", { type: "Ready", withinMs: 90_000 });
    assert.deepEqual(await mounted(cluster), { versions: [1, 1], names: "addresses" });
  });
});

interface RelayStatus {
  readonly documentVersion?: number;
  readonly version?: string;
  readonly queued?: number;
}

async function statusOf(cluster: MailCluster): Promise<RelayStatus> {
  return (await cluster.status<RelayStatus>("mailrelay", "outbound")) ?? {};
}

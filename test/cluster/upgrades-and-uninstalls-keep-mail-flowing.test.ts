/**
 * Mail flows while the release is upgraded, rolled back, uninstalled and installed again: what was accepted arrives, and
 * pods of a relay are not restarted for a change that is none of theirs.
 */
import assert from "node:assert/strict";
import { openClusterStage } from "../support/node/clusterstage.ts";
import { applyExamples, mailNamespace, type MailCluster, systemNamespace } from "../support/node/mailcluster.ts";
import { underFlow } from "../support/node/flow.ts";
import { TirelessSender } from "../support/node/tirelesssender.ts";
import { until } from "../support/until.ts";

const scenario = openClusterStage(import.meta.url, async (cluster) => {
  await cluster.install();
  await applyExamples(cluster);
});

async function operatorImage(cluster: MailCluster): Promise<string> {
  const path = "jsonpath={.items[*].spec.containers[0].image}";
  const labels = "app.kubernetes.io/component=operator";
  return cluster.node.kubectl([
    "get",
    "pods",
    "--namespace",
    systemNamespace,
    "-l",
    labels,
    "--field-selector=status.phase=Running",
    "-o",
    path,
  ]);
}

scenario("a changed value and its rollback leave relay pods alone", async (cluster) => {
  const pods = await cluster.podIdentities();
  assert.equal(pods.length, 2);
  const { troubles } = await underFlow(cluster, "values", async () => {
    await cluster.upgrade(["operator.logLevel=debug"]);
    await cluster.helm(["rollback", "mailboat", "1", "--wait", "--timeout", "2m"]);
  });
  assert.deepEqual(await cluster.podIdentities(), pods);
  assert.equal(troubles, 0);
});

scenario("a new operator image with relays pinned upgrades the operator alone", async (cluster) => {
  const pods = await cluster.podIdentities();
  await cluster.importOurImage("v2");
  const { troubles } = await underFlow(cluster, "operator", async () => {
    await cluster.upgrade(["image.tag=v2", "relay.image.tag=v1"]);
    await until("only the new operator", async () => /^\S+:v2$/.test(await operatorImage(cluster)), 60_000);
  });
  assert.deepEqual(await cluster.podIdentities(), pods);
  assert.equal(troubles, 0);
});

/** An hour of it is a message a second, and a tenth at once. */
const limited = { domain: "hour.example", messagesPerHour: 3_600, atOnce: 360 };

async function applyLimited(cluster: MailCluster): Promise<void> {
  const { domain, messagesPerHour } = limited;
  const credentials = { secretSelector: { matchLabels: { "mailboat.dev/login": "example-com" } } };
  const spec = {
    domain,
    relayRef: { name: "outbound" },
    senders: [{ name: "logins", credentials }],
    limits: { messagesPerHour },
  };
  const metadata = { name: "hour-example", namespace: mailNamespace };
  await cluster.node.apply({ apiVersion: "mailboat.dev/v1alpha1", kind: "SenderDomain", metadata, spec });
  await cluster.untilCondition("senderdomain", "hour-example", { type: "Ready" });
  // What may be sent is divided from when both pods know that they are two.
  await cluster.untilCondition("mailrelay", "outbound", { type: "Programmed" });
}

scenario(
  "a new relay image goes through the pods one at a time: nothing accepted is lost, and both together keep to the hour, also after a kill -9",
  async (cluster) => {
    const before = await cluster.podIdentities();
    await applyLimited(cluster);
    const sender = await TirelessSender.start(cluster, limited.domain, ["outbound-0", "outbound-1"]);
    const { longestGapSeconds } = await underFlow(cluster, "relays", async () => {
      await cluster.upgrade(["image.tag=v2"]);
      const isNew = async (): Promise<boolean> => {
        const after = await cluster.podIdentities();
        return after.length === before.length && after.every((pod) => !before.includes(pod));
      };
      await until("new pods", isNew, 120_000);
      const rollout = ["rollout", "status", "statefulset/outbound", "--namespace", mailNamespace, "--timeout=120s"];
      await cluster.node.kubectl(rollout, { deadlineMs: 130_000 });
    });
    // The other pod takes what comes while one is replaced.
    assert.ok(longestGapSeconds < 15, `no message was accepted for ${longestGapSeconds} s`);

    await cluster.node.killContainer(mailNamespace, "outbound-0");
    const isBack = async (): Promise<boolean> =>
      (await cluster.podIdentities()).some((pod) => pod.startsWith("outbound-0 ") && pod.endsWith(" 1"));
    await until("the killed pod", isBack, 60_000);
    await cluster.untilCondition("mailrelay", "outbound", { type: "Ready" });
    const { accepted, refusals, seconds } = await sender.stop();
    let arrived = await sender.arrived();
    const hasAll = async (): Promise<boolean> => {
      arrived = await sender.arrived();
      return accepted.every((subject) => arrived.has(subject));
    };
    await until("all that was accepted", hasAll, 60_000);
    // What no reply told of, because the pod was killed, counts as well; and of each pod one message fits into the smallest share.
    const most = limited.atOnce + (seconds * limited.messagesPerHour) / 3_600 + before.length;
    assert.ok(arrived.size <= most, `${arrived.size} arrived of ${most} in ${seconds} s`);
    assert.ok(accepted.length >= limited.atOnce && refusals > 10, `${accepted.length} and ${refusals} refused`);
    const { limitedSince } = (await cluster.status<{ limitedSince?: string }>("senderdomain", "hour-example")) ?? {};
    assert.notEqual(limitedSince, undefined);
  },
);

scenario(
  "helm uninstall keeps definitions, relays and spools; mail flows on, and a new release resumes",
  async (cluster) => {
    const pods = await cluster.podIdentities();
    const { troubles } = await underFlow(cluster, "uninstall", async () => {
      await cluster.helm(["uninstall", "mailboat", "--wait", "--timeout", "3m"]);
      assert.equal((await operatorImage(cluster)).trim(), "");
      const kept = await cluster.node.kubectl(["get", "mr,sd,pvc,crd", "--namespace", mailNamespace, "-o", "name"]);
      for (const name of [
        "mailrelay.mailboat.dev/outbound",
        "senderdomain.mailboat.dev/example-com",
        "spool-outbound-0",
      ]) {
        assert.ok(kept.includes(name), `${name} is gone`);
      }
      // Nobody is there to take it off, so nobody waits for it.
      assert.equal(await finalizers(cluster), "");
      await cluster.install(["image.tag=v2"]);
      await cluster.untilCondition("mailrelay", "outbound", { type: "Ready" });
      await until("the finalizer", async () => (await finalizers(cluster)).includes("mailboat.dev/drain"));
    });
    assert.deepEqual(await cluster.podIdentities(), pods);
    assert.equal(troubles, 0);
  },
);

async function finalizers(cluster: MailCluster): Promise<string> {
  const path = "jsonpath={.metadata.finalizers}";
  return cluster.node.kubectl(["get", "mailrelay", "outbound", "--namespace", mailNamespace, "-o", path]);
}

scenario(
  "with no operator a MailRelay can be deleted; its spools stay, and the relay made again has them",
  async (cluster) => {
    const claims = async (): Promise<string> =>
      cluster.node.kubectl(["get", "pvc", "--namespace", mailNamespace, "-o", "jsonpath={.items[*].metadata.uid}"]);
    const kept = await claims();
    await cluster.helm(["uninstall", "mailboat", "--wait", "--timeout", "3m"]);
    await cluster.node.kubectl(["delete", "mailrelay", "outbound", "--namespace", mailNamespace, "--timeout=30s"]);
    await until("no pods", async () => (await cluster.podIdentities()).length === 0, 90_000);
    assert.equal(await claims(), kept);
    await cluster.install(["image.tag=v2"]);
    await applyExamples(cluster);
    assert.equal(await claims(), kept);
    await underFlow(cluster, "resumed", async () => {});
  },
);

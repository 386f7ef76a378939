/** On a real node: pods that are scaled away hand their mail to the one that stays, and their volumes go. */
import assert from "node:assert/strict";
import { openClusterStage } from "../support/node/clusterstage.ts";
import {
  applyExamples,
  mailNamespace,
  type MailCluster,
  messageTo,
  podHost,
  type SendAnswer,
} from "../support/node/mailcluster.ts";
import { sendScript } from "../support/node/scripts.ts";
import { until } from "../support/until.ts";

const scenario = openClusterStage(import.meta.url, async (cluster) => {
  await cluster.install();
  await applyExamples(cluster);
});

interface RelayStatus {
  readonly replicas?: number;
  readonly readyReplicas?: number;
  readonly queued?: number;
  readonly retainedSpools?: readonly object[];
}

async function untilStatus(cluster: MailCluster, what: string, fits: (status: RelayStatus) => boolean): Promise<void> {
  const isSo = async (): Promise<boolean> => fits((await cluster.status<RelayStatus>("mailrelay", "outbound")) ?? {});
  await until(what, isSo, 90_000);
}

async function claims(cluster: MailCluster): Promise<readonly string[]> {
  const path = "jsonpath={.items[*].metadata.name}";
  const text = await cluster.node.kubectl(["get", "pvc", "--namespace", mailNamespace, "-o", path]);
  return text.split(" ").toSorted();
}

scenario(
  "three pods become one: what two of them hold arrives by the third, once, and their volumes go",
  async (cluster) => {
    await cluster.patch("mailrelay", "outbound", { replicas: 3, delivery: { retry: { first: "1s", max: "5s" } } });
    await untilStatus(cluster, "three pods", ({ readyReplicas }) => readyReplicas === 3);
    await cluster.untilCondition("mailrelay", "outbound", { type: "Programmed" });
    await cluster.mayArrive(false);
    const subjects: string[] = [];
    for (const pod of ["outbound-1", "outbound-2"]) {
      for (const number of [1, 2]) {
        const subject = `kept by ${pod} ${number}`;
        const question = { ...messageTo(subject), host: podHost(pod), port: 2587 };
        const answer = await cluster.python<SendAnswer>(sendScript, question);
        assert.equal(answer.accepted, true, answer.error);
        subjects.push(subject);
      }
    }
    await untilStatus(cluster, "the queue in status", ({ queued }) => queued === 4);

    await cluster.patch("mailrelay", "outbound", { replicas: 1 });
    await untilStatus(cluster, "one pod", ({ replicas }) => replicas === 1);
    await cluster.untilCondition("mailrelay", "outbound", { type: "Draining", status: "False" });
    await until("one volume", async () => (await claims(cluster)).join() === "spool-outbound-0", 60_000);
    const status = await cluster.status<RelayStatus>("mailrelay", "outbound");
    assert.deepEqual([status?.queued, status?.retainedSpools], [4, undefined]);
    const events = ["get", "events", "--namespace", mailNamespace, "-o", "jsonpath={.items[*].reason}"];
    for (const wanted of ["HandedOver", "SpoolRemoved"]) {
      await until(`an event ${wanted} of each pod`, async () => {
        const reasons = (await cluster.node.kubectl(events)).split(" ");
        return reasons.filter((reason) => reason === wanted).length === 2;
      });
    }

    await cluster.mayArrive(true);
    for (const subject of subjects) await cluster.arrived(subject);
    const arrived = (await cluster.subjects()).filter((subject) => subject.startsWith("kept by"));
    assert.deepEqual(arrived.toSorted(), subjects.toSorted());
  },
);

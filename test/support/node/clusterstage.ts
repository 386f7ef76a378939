/** What the files of cluster scenarios begin and end with: one node for the file, its scenarios in order. */
import { after, before, test } from "node:test";
import { MailCluster, observed } from "./mailcluster.ts";
import { lackingNode } from "./programs.ts";

export type Scenario = (name: string, run: (cluster: MailCluster) => Promise<void>) => void;

/** `file` is the test's `import.meta.url`. Scenarios follow one another on the same node; `prepare` runs before the first. */
export function openClusterStage(
  file: string,
  prepare: (cluster: MailCluster) => Promise<void> = async () => {},
): Scenario {
  const skip = lackingNode();
  const ends: (() => Promise<void>)[] = [];
  let opened: MailCluster | undefined;
  before(async () => {
    if (skip !== false) return;
    const cluster = await MailCluster.open(file, (end) => ends.push(end));
    await observed({ file, name: "prepare" }, cluster, () => prepare(cluster));
    opened = cluster;
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return (name, run) => {
    test(name, { skip }, async () => {
      const cluster = opened;
      if (cluster === undefined) throw new Error("there is no node");
      await observed({ file, name }, cluster, () => run(cluster));
    });
  };
}

/**
 * `make cluster`: a node that stays, with Mailboat installed from this checkout, the examples of the README applied, a Postfix
 * that receives for example.net and a pod to send from. Ctrl-C ends it and removes everything.
 */
import { createServer, connect } from "node:net";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clientNamespace, inboxNamespace, mailNamespace, MailCluster } from "../support/node/mailcluster.ts";
import { apiUrl, pathsOf } from "../support/node/plan.ts";
import { lackingNode } from "../support/node/programs.ts";
import { freePort } from "../support/ports.ts";
import { repositoryRoot } from "../support/results.ts";

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The node's network has no way in: a port of this machine leads to the API server through a socket in a file. */
async function openPort(cluster: MailCluster): Promise<string> {
  const { directory } = cluster.node.plan;
  const port = await freePort();
  createServer((outside) => {
    const inside = connect(pathsOf(directory).apiSocket);
    for (const [from, to] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      from.on("error", () => to.destroy());
      from.pipe(to);
    }
  }).listen(port, "127.0.0.1");
  const file = join(directory, "kubeconfig");
  writeFileSync(file, readFileSync(cluster.node.kubeconfig, "utf8").replace(apiUrl, `https://127.0.0.1:${port}`));
  return file;
}

async function main(): Promise<number> {
  const lacks = lackingNode();
  if (lacks !== false) {
    process.stderr.write(`cannot start a node here: ${lacks}\n`);
    return 1;
  }
  const stopped = Promise.withResolvers<void>();
  const ends: (() => Promise<void>)[] = [];
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      stopped.resolve();
      // What is being started cannot be called off: its processes end with this one.
      if (ends.length === 0) process.exit(130);
    });
  }
  try {
    say("starting a node and building the image (programs are built once, which takes minutes)");
    const cluster = await MailCluster.open(import.meta.url, (end) => ends.push(end));
    say(await cluster.install());
    await cluster.node.kubectl(["apply", "-f", join(repositoryRoot, "examples/cluster")]);
    const { kubectl } = cluster.node.plan.programs;
    say(`export KUBECONFIG=${await openPort(cluster)}\nkubectl is ${kubectl}\n`);
    say(
      `relays are in namespace ${mailNamespace}; send from the pod client of ${clientNamespace}; mail for example.net`,
    );
    say(`arrives in /var/mail/inbox/new of the pod inbox of ${inboxNamespace}. Ctrl-C ends and removes all of it.`);
    await stopped.promise;
  } finally {
    for (const end of ends) await end();
    rmSync(join(repositoryRoot, "test-results/keep"), { recursive: true, force: true });
  }
  return 0;
}

// Ports and children that are still open need not hold the end up.
if (import.meta.main) process.exit(await main());

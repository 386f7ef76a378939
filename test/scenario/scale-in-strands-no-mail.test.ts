/** A pod that is scaled away stays until its spool is empty, and says so; then it goes by itself. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { mailRelayStatus, type MailRelayStatus } from "../../api/mailrelay.ts";
import { LocalMode, localManifests } from "../support/local.ts";
import { NextHop } from "../support/nexthop.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

function statusIn(directory: string): MailRelayStatus | undefined {
  const file = join(directory, "state/status/mailrelay/mail.outbound.yaml");
  if (!existsSync(file)) return undefined;
  return z.object({ status: mailRelayStatus }).safeParse(parse(readFileSync(file, "utf8"))).data?.status;
}

function portIn(directory: string, use: string): number | undefined {
  const book = z
    .record(z.string(), z.number())
    .parse(JSON.parse(readFileSync(join(directory, "state/ports.json"), "utf8")));
  return book[use];
}

test("scale-in waits for the mail of the pod that leaves, and is over by itself once that is delivered", async (t) => {
  const hop = await NextHop.start({ recipient: () => "451 4.3.0 not now" });
  t.after(() => hop.stop());
  const manifests = localManifests(hop.address);
  const relay = manifests["relay.yaml"] ?? "";
  const twice = relay.replace("spec:\n", "spec:\n  replicas: 2\n");
  const directory = makeResultsDirectory(import.meta.url, "local");
  const local = await LocalMode.start({ directory, manifests: { ...manifests, "relay.yaml": twice } });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  const reason = (type: string): string | undefined =>
    statusIn(directory)?.conditions?.find((entry) => entry.type === type)?.reason;
  await until(
    "two pods that run",
    () => reason("Programmed") === "Programmed" && statusIn(directory)?.readyReplicas === 2,
  );
  assert.equal(reason("Draining"), "NotDraining");

  const port = portIn(directory, "mail.outbound-1/smtp");
  assert.ok(port !== undefined);
  const client = await openSession({ name: "smtp", port });
  assert.equal((await client.send(sender, ["someone@example.org"], simpleMessage("left behind"))).code, 250);
  client.destroy();
  await until("the queue in status", () => statusIn(directory)?.queued === 1);

  local.writeManifest("relay.yaml", relay);
  const isHeld = (): boolean => ["HandingOver", "SpoolNotEmpty"].includes(reason("Draining") ?? "");
  await until("scale-in that is held", isHeld);
  const held = statusIn(directory);
  assert.deepEqual([held?.desiredReplicas, held?.replicas, reason("Ready")], [1, 2, "Ready"]);
  const message = held?.conditions?.find((entry) => entry.type === "Draining")?.message ?? "";
  assert.match(message, /^outbound-1 \(1 recipients wait\): .*; (?:or )?set spec\.replicas back to 2/);

  hop.script = {};
  await hop.waitForMails(1);
  assert.equal(subjectOf(hop.mails[0]?.message ?? Buffer.alloc(0)), "left behind");
  await until("the end of scale-in", () => reason("Draining") === "NotDraining" && statusIn(directory)?.replicas === 1);
  assert.equal(hop.mails.length, 1);
});

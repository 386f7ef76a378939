/** A mistake in a manifest is answered with its field and what to do, while mail goes on; mended, it takes effect. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { LocalMode, localLogin, localManifests } from "../support/local.ts";
import { NextHop } from "../support/nexthop.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { WireClient, openSession } from "../support/send.ts";
import { sender, simpleMessage } from "../support/stage.ts";
import { until } from "../support/until.ts";

interface InvalidExample {
  readonly name: string;
  readonly text: string;
  readonly field: string;
  readonly message: string;
}

function readInvalidExamples(): readonly InvalidExample[] {
  return globSync(join(repositoryRoot, "examples/invalid/*.yaml"))
    .toSorted()
    .map((path) => {
      const text = readFileSync(path, "utf8");
      const [, field = "", message = ""] = /^# field: (.*)\n# message: (.*)\n/.exec(text) ?? [];
      return { name: basename(path), text, field, message };
    });
}

test("mistakes in manifests", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "local");
  const hop = await NextHop.start();
  t.after(() => hop.stop());
  const manifests = localManifests(hop.address);
  const local = await LocalMode.start({ directory, manifests });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  const session = await openSession({ name: "submission", port: local.port("submission") }, localLogin);
  let sent = 0;
  const mailGoesOn = async (): Promise<void> => {
    sent += 1;
    const reply = await session.send(sender, ["someone@example.org"], simpleMessage("on and on"));
    assert.equal(reply.code, 250, reply.text);
  };
  await mailGoesOn();

  const examples = readInvalidExamples();
  assert.ok(examples.length > 50);
  for (const example of examples) {
    await t.test(`${example.name}: ${example.field} ${example.message}`, async () => {
      assert.notEqual(example.message, "");
      local.writeManifest(example.name, example.text);
      const line = await local.program.waitFor(
        "refusal",
        (text) => text.startsWith(`${example.name}:`) || text.includes(`/${example.name}:`),
      );
      assert.ok(line.includes(`${example.field} ${example.message}`), line);
      await mailGoesOn();
      local.removeManifest(example.name);
    });
  }

  await t.test("a mistake in the relay that runs leaves it running, and mended it takes effect", async () => {
    const good = manifests["relay.yaml"] ?? "";
    local.writeManifest(
      "relay.yaml",
      good.replace("tlsMode: StartTLS, authentication: Required", "tlsMode: Sometimes, authentication: Required"),
    );
    await local.program.waitFor(
      "refusal",
      (text) => text.includes("relay.yaml") && text.includes("spec.listeners[0].tlsMode"),
    );
    await mailGoesOn();
    local.writeManifest("relay.yaml", good.replace("limits: {", "limits: {messageSize: 1Mi, "));
    await local.program.waitFor("the end of the mistakes", (text) => text === "every manifest is good again");
    await until("the new limit", async () => {
      const client = await WireClient.open(local.port("submission"));
      const hello = await client.hello();
      client.destroy();
      return hello.text.includes("SIZE 1048576");
    });
    await mailGoesOn();
  });
  await hop.waitForMails(sent);
  session.destroy();
});

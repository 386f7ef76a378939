/** examples/two-hops as a person runs it: one relay submits to another, and the message is one story. */
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { LocalMode, localLogin } from "../support/local.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { until } from "../support/until.ts";

const outlines = z.array(
  z.object({ id: z.string(), subject: z.string().optional(), standing: z.string(), isNotice: z.boolean() }),
);
const detail = z.object({
  spoolIds: z.array(z.string()),
  steps: z.array(z.object({ pod: z.string(), what: z.string() })),
  traces: z.array(
    z.object({ rows: z.array(z.object({ name: z.string(), depth: z.number(), pod: z.string(), note: z.string() })) }),
  ),
  copies: z.array(
    z.object({
      file: z.string(),
      dkim: z.string(),
      content: z.object({ headers: z.array(z.object({ name: z.string(), value: z.string() })) }),
    }),
  ),
});

async function askPage<T>(local: LocalMode, path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetch(new URL(path, local.page));
  assert.equal(response.status, 200);
  return schema.parse(await response.json());
}

test("the second relay of examples/two-hops signs, and continues the trace of the first", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "local");
  cpSync(join(repositoryRoot, "examples/two-hops"), join(directory, "manifests"), { recursive: true });
  const local = await LocalMode.start({ directory, manifests: {} });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  const port = local.portOnFile("mail.inner-0/submission");
  const client = await openSession({ name: "submission", port }, localLogin);
  const message = (subject: string): Buffer =>
    Buffer.from(`From: app@example.com\r\nSubject: ${subject}\r\n\r\nHi\r\n`);
  for (const [recipient, subject] of [
    ["anna@example.net", "Two hops"],
    ["refuse@example.net", "Refused at the second"],
  ] as const)
    assert.equal((await client.send("app@example.com", [recipient], message(subject))).code, 250);
  client.destroy();

  const list = await until("three stories", async () => {
    const found = await askPage(local, "/api/messages", outlines);
    const isDone =
      found.length === 3 && found.every(({ standing }) => standing === "delivered" || standing === "bounced");
    return isDone && found.some(({ isNotice }) => isNotice) ? found : undefined;
  });
  assert.deepEqual(list.map(({ subject, standing }) => `${subject ?? "?"}: ${standing}`).toSorted(), [
    "Refused at the second: bounced",
    "Two hops: delivered",
    "Your message could not be delivered: delivered",
  ]);

  const id = list.find(({ subject }) => subject === "Two hops")?.id ?? "";
  const story = await until("both attempts", async () => {
    const found = await askPage(local, `/api/messages/${id}`, detail);
    const isComplete = found.traces[0]?.rows.filter(({ name }) => name === "mail.deliver").length === 2;
    return isComplete ? found : undefined;
  });
  assert.equal(story.spoolIds.length, 2);
  assert.equal(story.traces.length, 1);
  assert.deepEqual(
    story.traces[0]?.rows.map(({ depth, name, pod }) => `${"  ".repeat(depth)}${name} ${pod}`),
    [
      "smtp.receive mail.inner-0",
      "  mail.spool mail.inner-0",
      "    mail.deliver mail.inner-0",
      "      smtp.send mail.inner-0",
      "        smtp.receive mail.outer-0",
      "          mail.spool mail.outer-0",
      "            mail.deliver mail.outer-0",
      "              mail.sign mail.outer-0",
      "              smtp.send mail.outer-0",
    ],
  );
  // The way between the relays is encrypted, and what leaves the second one shows no trace to strangers.
  assert.match(story.traces[0].rows[3]?.note ?? "", /TLS 1\.3/);
  const [copy] = story.copies;
  assert.equal(copy?.dkim, "pass");
  const names = copy.content.headers.map(({ name }) => name.toLowerCase());
  assert.equal(names.filter((name) => name === "received").length, 2);
  assert.ok(!names.includes("traceparent"));
  const source = readFileSync(join(directory, "state/captured", copy.file), "latin1");
  assert.match(source, /by outer\.mailboat\.localhost with ESMTPSA[^]*by inner\.mailboat\.localhost with ESMTPSA/);
  await local.program.waitFor("a waterfall of both", (line) => /smtp\.receive .* mail\.outer-0$/.test(line));
});

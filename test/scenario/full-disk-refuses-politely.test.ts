/** A disk that is full: new mail is put off with 452, what was accepted is kept and delivered, and then all goes on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { reserveBytes } from "../../relay/spool/local/disk/space.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { needsRoot } from "../support/tools.ts";
import { until } from "../support/until.ts";

/** Undefined, and the test skipped, where that is not possible. */
function mountSmallDisk(t: TestContext, name: string): string | undefined {
  const directory = makeResultsDirectory(import.meta.url, name);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", directory], { stdio: "pipe" });
  } catch (error) {
    t.skip(`cannot mount a tmpfs: ${String(error)}`);
    return undefined;
  }
  t.after(() => {
    execFileSync("umount", ["-l", directory]);
  });
  return directory;
}

test("a full disk refuses new mail with 452 and loses none", { skip: needsRoot() }, async (t) => {
  const disk = mountSmallDisk(t, "disk");
  if (disk === undefined) return;
  const spoolDirectory = join(disk, "spool");
  const stage = await openStage(t, {
    file: import.meta.url,
    script: { recipient: () => "451 4.3.0 not now" },
    plan: { retry: { firstMs: 500, maxMs: 1_000, expireAfterMs: 600_000, notifyDelayAfterMs: 500_000 } },
    relay: { spoolDirectory },
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  t.after(() => client.destroy());
  const accepted: string[] = [];
  const body = `${"z".repeat(70)}\r\n`.repeat(3_000);
  const send = async (subject: string): Promise<number> => {
    const reply = await client.send(sender, ["someone@example.org"], simpleMessage(subject, sender, body));
    if (reply.code === 250) accepted.push(subject);
    else assert.match(`${reply.code} ${reply.text}`, /^452 4\.3\.1 /);
    return reply.code;
  };
  for (let number = 1; number <= 4; number += 1) assert.equal(await send(`before ${number}`), 250);
  // Whoever reads for long keeps the log from beginning anew: it must grow for each outcome, and cannot.
  const reader = new DatabaseSync(join(spoolDirectory, "spool.db"), { readOnly: true });
  t.after(() => reader.isOpen && reader.close());
  reader.exec("BEGIN");
  reader.prepare("SELECT count(*) FROM message").get();
  const reserve = join(spoolDirectory, "reserve");
  assert.ok(existsSync(reserve), "there is no reserve to begin with");
  // Somebody else fills the disk.
  const filler = join(disk, "filler");
  fill(filler);
  let refused = 0;
  for (let number = 1; number <= 60; number += 1) if ((await send(`while full ${number}`)) === 452) refused += 1;
  t.diagnostic(`${accepted.length} accepted, ${refused} refused`);
  assert.ok(refused > 0, "nothing was refused");
  await until("the reserve released", () => !existsSync(reserve));
  // In its room outcomes are written while the disk stays as full as it is.
  stage.hop.script = {};
  await until("every outcome written", async () => (await stage.relay.status()).spool.queuedMessages === 0);
  reader.close();
  rmSync(filler);
  await until("room again", async () => (await send(`after ${accepted.length}`)) === 250);
  await stage.hop.waitUntil("every accepted message", () => {
    const arrived = new Set(stage.hop.mails.map((mail) => subjectOf(mail.message)));
    return accepted.every((subject) => arrived.has(subject));
  });
  await until("the reserve", () => existsSync(reserve) && statSync(reserve).size === reserveBytes);
  await until("checkpoints that go on", async () => {
    const before = completed(await stage.relay.metrics());
    await send(`later ${accepted.length}`);
    return completed(await stage.relay.metrics()) > before;
  });
  assert.deepEqual(
    stage.relay.program.lines.filter((line) => /thread ended|does not start/.test(line)),
    [],
  );
  assert.equal(await stage.relay.stop(), 0);
});

test(
  "a disk that somebody else filled and emptied is noticed, although no mail comes or waits",
  { skip: needsRoot() },
  async (t) => {
    const disk = mountSmallDisk(t, "idle");
    if (disk === undefined) return;
    const stage = await openStage(t, {
      file: import.meta.url,
      name: "idle relay",
      relay: { spoolDirectory: join(disk, "spool") },
    });
    const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
    t.after(() => client.destroy());
    const code = async (): Promise<number> =>
      (await client.send(sender, ["someone@example.org"], simpleMessage("one", sender))).code;
    const filler = join(disk, "filler");
    fill(filler);
    await until("a refusal", async () => (await code()) === 452);
    rmSync(filler);
    await until("room again", async () => (await code()) === 250);
    assert.equal(await stage.relay.stop(), 0);
  },
);

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(
    `a relay that ended by ${signal} starts on a full disk, and delivers what it has`,
    { skip: needsRoot() },
    async (t) => {
      const disk = mountSmallDisk(t, `start after ${signal}`);
      if (disk === undefined) return;
      const spoolDirectory = join(disk, "spool");
      const stage = await openStage(t, {
        file: import.meta.url,
        name: `relay after ${signal}`,
        script: { recipient: () => "451 4.3.0 not now" },
        plan: { retry: { firstMs: 500, maxMs: 1_000, expireAfterMs: 600_000, notifyDelayAfterMs: 500_000 } },
        relay: { spoolDirectory },
      });
      const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
      t.after(() => client.destroy());
      for (const subject of ["one", "two", "three"])
        assert.equal((await client.send(sender, ["someone@example.org"], simpleMessage(subject, sender))).code, 250);
      await stage.relay.program.kill(signal);
      const reserve = join(spoolDirectory, "reserve");
      assert.ok(existsSync(reserve), "there is no reserve to begin with");
      fill(join(disk, "filler"));
      stage.hop.script = {};
      await stage.restart();
      assert.ok(!existsSync(reserve), "the reserve was not needed");
      await until("every outcome written", async () => (await stage.relay.status()).spool.queuedMessages === 0);
      assert.deepEqual(
        new Set(stage.hop.mails.map((mail) => subjectOf(mail.message))),
        new Set(["one", "two", "three"]),
      );
      assert.equal(await stage.relay.stop(), 0);
    },
  );
}

/** Takes all there is. */
function fill(path: string): void {
  const chunk = Buffer.alloc(256 * 1024);
  try {
    for (;;) appendFileSync(path, chunk);
  } catch (error) {
    assert.match(String(error), /ENOSPC/);
  }
}

function completed(metrics: string): number {
  return Number(/^mailboat_spool_checkpoints_total\{result="complete"\} (\d+)/m.exec(metrics)?.[1] ?? 0);
}

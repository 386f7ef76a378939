/** A disk that is full: new mail is put off with 452, what was accepted is kept and delivered, and then all goes on. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { needsRoot } from "../support/tools.ts";
import { until } from "../support/until.ts";

const mebibyte = 2 ** 20;

function mountSmallDisk(directory: string): string | false {
  mkdirSync(directory, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=48m", "tmpfs", directory], { stdio: "pipe" });
    return false;
  } catch (error) {
    return `cannot mount a tmpfs: ${String(error)}`;
  }
}

test("a full disk refuses new mail with 452 and loses none", { skip: needsRoot() }, async (t) => {
  const disk = makeResultsDirectory(import.meta.url, "disk");
  const fault = mountSmallDisk(disk);
  if (fault !== false) {
    t.skip(fault);
    return;
  }
  t.after(() => {
    execFileSync("umount", ["-l", disk]);
  });
  const spoolDirectory = join(disk, "spool");
  const stage = await openStage(t, {
    file: import.meta.url,
    script: { recipient: () => "451 4.3.0 not now" },
    plan: { retry: { firstMs: 500, maxMs: 1_000, expireAfterMs: 600_000, notifyDelayAfterMs: 500_000 } },
    relay: { spoolDirectory },
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  const accepted: string[] = [];
  const body = `${"z".repeat(70)}\r\n`.repeat(3_000);
  const send = async (subject: string): Promise<number> => {
    const reply = await client.send(sender, ["someone@example.org"], simpleMessage(subject, sender, body));
    if (reply.code === 250) accepted.push(subject);
    else assert.match(`${reply.code} ${reply.text}`, /^452 4\.3\.1 /);
    return reply.code;
  };
  await send("before");
  // Somebody else fills the disk.
  const filler = join(disk, "filler");
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 2 * mebibyte)));
  let refused = 0;
  for (let number = 1; number <= 60; number += 1) if ((await send(`while full ${number}`)) === 452) refused += 1;
  t.diagnostic(`${accepted.length} accepted, ${refused} refused`);
  assert.ok(refused > 0, "nothing was refused");
  rmSync(filler);
  await until("room again", async () => (await send(`after ${accepted.length}`)) === 250);
  stage.hop.script = {};
  await stage.hop.waitUntil("every accepted message", () => {
    const arrived = new Set(stage.hop.mails.map((mail) => subjectOf(mail.message)));
    return accepted.every((subject) => arrived.has(subject));
  });
  client.destroy();
});

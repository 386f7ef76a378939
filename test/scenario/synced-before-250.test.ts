/** A trace of system calls shows that the message is on disk before the client hears 250, and that many share a sync. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { flood } from "../support/flood.ts";
import { Program } from "../support/program.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

interface Trace {
  /** Detaches and returns the calls in the order they were seen; a call that took long is two lines. */
  end(): Promise<readonly string[]>;
}

async function traceRelay(t: TestContext, stage: Stage, options: readonly string[]): Promise<Trace> {
  const output = join(stage.directory, "strace.txt");
  const program = new Program({
    command: ["strace", "-f", "-y", ...options, "-o", output, "-p", String(stage.relay.program.pid)],
    logFile: join(stage.directory, "strace.log"),
  });
  t.after(() => program.kill("SIGKILL"));
  await program.waitFor("attached threads", (line) => line.includes("attached with"));
  return {
    async end() {
      await program.kill("SIGINT");
      return readFileSync(output, "utf8").split("\n");
    },
  };
}

const skip = lacking("strace");
const sync = /\b(?:fsync|fdatasync)\(\d+<([^>]*)>/;
const thread = /^\d+/;
const succeeded = /\) += 0$/;
const spoolWrite = /\b(?:pwrite64|pwritev|write|writev)\(\d+<[^>]*\/spool\/[^>]*>/;

/**
 * Paths whose sync began and ended well in these lines. One that another thread began before, or that is under way at their end,
 * says nothing of the message: a call that took long is two lines, which the thread's number joins.
 */
function syncedWithin(lines: readonly string[]): readonly string[] {
  const underWay = new Map<string, string>();
  return lines.flatMap((line) => {
    const number = thread.exec(line)?.[0] ?? "";
    const path = sync.exec(line)?.[1];
    if (path !== undefined && line.includes("<unfinished")) {
      underWay.set(number, path);
      return [];
    }
    const ended = path ?? (/\b(?:fsync|fdatasync) resumed/.test(line) ? underWay.get(number) : undefined);
    return ended !== undefined && succeeded.test(line.trimEnd()) ? [ended] : [];
  });
}

test("a sync counts only when it began and ended within the lines", () => {
  const lines = [
    "11 <... fdatasync resumed>) = 0",
    "12 fdatasync(7</spool/bodies>) = 0",
    "13 fdatasync(8</spool/spool.db-wal> <unfinished ...>",
    "14 fsync(9</spool/spool.db>) = -1 EIO (Input/output error)",
    "15 fsync(9</spool/other> <unfinished ...>",
    "13 <... fdatasync resumed>) = 0",
  ];
  assert.deepEqual(syncedWithin(lines), ["/spool/bodies", "/spool/spool.db-wal"]);
});

const rows = [
  { name: "small", sizeBytes: 100, synced: [/spool\.db-wal$/] },
  { name: "large", sizeBytes: 4 * 2 ** 20, synced: [/\/bodies\/[^/]+$/, /\/bodies$/, /spool\.db-wal$/] },
];

for (const { name, sizeBytes, synced } of rows) {
  test(`a ${name} message is synced after its last octet and before its 250`, { skip }, async (t) => {
    const stage = await openStage(t, { file: import.meta.url, name });
    const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
    // The first message makes what the spool makes once.
    assert.equal((await client.send(sender, ["first@example.org"], simpleMessage("first"))).code, 250);
    await stage.hop.waitForMails(1);
    await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0);
    const calls = "trace=fsync,fdatasync,write,writev,pwrite64,pwritev,sendto,sendmsg";
    const trace = await traceRelay(t, stage, ["-s", "70000", "-e", calls]);
    // Marked more than once, because a chunk may end inside a mark.
    const body = `${"x".repeat(70)}\r\n`.repeat(Math.ceil(sizeBytes / 72)) + "last-line-mark\r\n".repeat(3);
    const reply = await client.send(sender, ["someone@example.org"], simpleMessage("marked", sender, body));
    assert.equal(reply.code, 250);
    await stage.hop.waitForMails(2);
    const lines = await trace.end();
    client.destroy();
    const answered = lines.findIndex((line) => line.includes("<socket:") && line.includes('"250 2.6.0'));
    const before = lines.slice(0, answered);
    const written = before.findLastIndex((line) => spoolWrite.test(line) && line.includes("last-line-mark"));
    assert.ok(written >= 0 && answered > written, `written in line ${written}, answered in line ${answered}`);
    const paths = syncedWithin(before.slice(written));
    for (const path of synced)
      assert.ok(
        paths.some((each) => path.test(each)),
        `${path} was not synced: ${paths.join(", ")}`,
      );
  });
}

test("messages that come together share a sync", { skip }, async (t) => {
  const messages = 500;
  const stage = await openStage(t, { file: import.meta.url, name: "load" });
  const trace = await traceRelay(t, stage, ["-e", "trace=fsync,fdatasync"]);
  const port = stage.relay.port("smtp");
  await flood({ port: () => port, messages, connections: 40 });
  await stage.hop.waitForMails(messages, 60_000);
  const lines = await trace.end();
  const count = lines.filter((line) => sync.test(line)).length;
  t.diagnostic(`${count} syncs for ${messages} messages accepted and delivered`);
  assert.ok(count > 0 && count < messages / 2, `${count} syncs for ${messages} messages`);
});

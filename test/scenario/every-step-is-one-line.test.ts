/**
 * The log of a relay under a script of messages: exactly the lines that each must have, with the fields that docs/logs.md
 * says.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseLog } from "../support/program.ts";
import { repositoryRoot } from "../support/results.ts";
import { openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";
import { until } from "../support/until.ts";

/** Attempts about every second; late after 0.6 s, given up after 2.5 s. */
const retry = { firstMs: 1_000, maxMs: 1_000, expireAfterMs: 2_500, notifyDelayAfterMs: 600 };

interface Documented {
  readonly level: string;
  readonly required: ReadonlySet<string>;
  readonly optional: ReadonlySet<string>;
}

/** Rows of the first table. */
function documentedLines(): ReadonlyMap<string, Documented> {
  const text = readFileSync(join(repositoryRoot, "docs/logs.md"), "utf8");
  const table = text.slice(text.indexOf("| msg"), text.indexOf("| field "));
  const rows = [...table.matchAll(/^\| `([^`]+)` +\| (\w+) +\|[^|]*\| ([^|]+) \|$/gm)];
  return new Map(
    rows.map(([, msg = "", level = "", fields = ""]) => {
      const names = (pattern: RegExp): ReadonlySet<string> =>
        new Set([...fields.matchAll(pattern)].map(([, name = ""]) => name));
      return [msg, { level, required: names(/(?<!\()`(\w+)`/g), optional: names(/\(`(\w+)`\)/g) }];
    }),
  );
}

/** What each message is sent with, and its lines in order. The notices that come of it have lines of their own. */
const script = [
  { name: "delivered", to: ["a@ok.example"], lines: /^accepted delivered$/, notices: 0 },
  {
    name: "one of three refused",
    to: ["a@mixed.example", "b@mixed.example", "gone@mixed.example"],
    lines: /^accepted delivered failed bounced$/,
    notices: 1,
  },
  {
    name: "busy until its time is up",
    to: ["busy@busy.example", "busy.too@busy.example"],
    lines:
      /^accepted (?:deferred )+deferred notified (?:deferred )*failed bounced$|^accepted deferred notified (?:deferred )*failed bounced$/,
    notices: 2,
  },
  { name: "told of success", to: ["a@ok.example> NOTIFY=SUCCESS"], lines: /^accepted delivered notified$/, notices: 1 },
  { name: "captured", to: ["a@customer.example"], lines: /^accepted captured$/, notices: 0 },
  { name: "from nobody", from: "", to: ["gone@ok.example"], lines: /^accepted failed double bounce$/, notices: 0 },
] as const;

async function submit(client: WireClient, step: (typeof script)[number]): Promise<string> {
  const from = "from" in step ? step.from : sender;
  const recipients = step.to.map((each) => `RCPT TO:<${each.includes(">") ? each : `${each}>`}`);
  const reply = await client.transact([`MAIL FROM:<${from}>`, ...recipients], simpleMessage(step.name));
  const id = /Message accepted as (\w+)/.exec(reply.text)?.[1];
  assert.ok(id !== undefined, `${step.name}: ${reply.code} ${reply.text}`);
  return id;
}

test("every step of a message is one line, with the fields that the documentation says", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    plan: {
      retry,
      delivery: {
        mode: "AllowList",
        allowRecipients: ["*@ok.example", "*@mixed.example", "*@busy.example", sender],
      },
    },
    relay: { env: { MAILBOAT_SPAN_LINES: "1" } },
    script: {
      recipient(address) {
        if (address.startsWith("gone")) return `550 5.1.1 ${address} is not known here`;
        return address.startsWith("busy") ? "451 4.2.0 mailbox is busy" : undefined;
      },
    },
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  const ids = new Map<string, (typeof script)[number]>();
  for (const step of script) ids.set(await submit(client, step), step);
  assert.equal((await client.command("MAIL FROM:<someone@elsewhere.example>")).code >= 500, true);
  client.destroy();
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedMessages === 0, 60_000);
  await stage.relay.stop();

  const documented = documentedLines();
  assert.ok(documented.size >= 8, `only ${documented.size} rows were read`);
  const lines = stage.relay.program.lines
    .flatMap((text) => parseLog(text) ?? [])
    .filter(({ msg }) => documented.has(msg));
  const noticesOf = new Map<string, number>();
  const lives = Map.groupBy(
    lines.filter(({ fields }) => fields["spoolId"] !== undefined),
    ({ fields }) => String(fields["spoolId"]),
  );
  assert.deepEqual(
    [...ids].filter(([id]) => !lives.has(id)).map(([, { name }]) => name),
    [],
    "messages without a line",
  );
  for (const [id, life] of lives) {
    const steps = life.map(({ msg }) => msg).join(" ");
    const step = ids.get(id);
    assert.match(steps, step?.lines ?? /^accepted delivered$/, step?.name ?? `notice ${id}`);
    const origin = life[0]?.fields["noticeOf"];
    assert.equal(step === undefined, typeof origin === "string", id);
    if (typeof origin === "string") noticesOf.set(origin, (noticesOf.get(origin) ?? 0) + 1);
    // One trace leads through acceptance and first attempt.
    assert.equal(life[0]?.fields["traceId"], life[1]?.fields["traceId"], step?.name ?? `notice ${id}`);
  }
  for (const [id, { name, notices }] of ids) assert.equal(noticesOf.get(id) ?? 0, notices, name);

  for (const { msg, fields } of lines) {
    const { level, required, optional } = documented.get(msg) ?? assert.fail(msg);
    const own = Object.keys(fields).filter((name) => !["level", "time", "program", "msg"].includes(name));
    assert.equal(fields["level"], level, msg);
    assert.deepEqual(
      own.filter((name) => !required.has(name) && !optional.has(name)),
      [],
      `${msg} has undocumented fields`,
    );
    assert.deepEqual(
      [...required].filter((name) => !own.includes(name)),
      [],
      `${msg} lacks documented fields`,
    );
    assert.doesNotMatch(JSON.stringify(fields), /(?:[ab]|gone|busy|too|app|someone)@/, msg);
  }
  const seen = new Set(lines.map(({ msg }) => msg));
  assert.deepEqual(
    [...documented.keys()].filter((msg) => !seen.has(msg)),
    [],
  );
  // And nothing is documented that no relay writes.
  const unseen = [...documented].flatMap(([msg, { optional }]) =>
    [...optional].filter((name) => !lines.some((line) => line.msg === msg && line.fields[name] !== undefined)),
  );
  assert.deepEqual(unseen, []);
});

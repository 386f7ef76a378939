import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostAnswer, Trouble } from "../mail/hostanswer.ts";
import type { Message, Recipient } from "../spool/message/message.ts";
import { domainSettingsOf, newMessage, relayDocumentOf, snapshotOf } from "../../test/support/relayvalues.ts";
import { decideAttempt, type Attempted } from "./decide.ts";

const hour = 3_600_000;
const acceptedAt = Date.UTC(2026, 10, 23);
const retry = { firstMs: 60_000, maxMs: 4 * hour, expireAfterMs: 120 * hour, notifyDelayAfterMs: 4 * hour };
const snapshot = snapshotOf(relayDocumentOf({ retry }), [
  domainSettingsOf("example.com"),
  domainSettingsOf("example.org", { bounces: { to: "bounces@example.org" } }),
]);

/** The answer for a recipient: the next hop's reply, or what went wrong without one. */
type What = { readonly said: string } | { readonly trouble: Trouble } | { readonly taken: "dsn" | "no dsn" };
type Row = What & { readonly recipient?: Partial<Recipient> };

function answerOf(what: What): HostAnswer {
  const host = "mx.example.net";
  if ("taken" in what) {
    const reply = { code: 250, enhanced: "2.1.5", text: "taken" };
    return { kind: "accepted", host, reply, dsn: what.taken === "dsn" };
  }
  if ("trouble" in what) return { kind: "trouble", trouble: what.trouble };
  const [code = "", enhanced = "", ...text] = what.said.split(" ");
  const reply = { code: Number(code), enhanced, text: text.join(" ") };
  return { kind: "trouble", host, trouble: { phase: "rcpt", reply } };
}

function decide(rows: readonly Row[], atHours: number, changes: Partial<Message> = {}): Attempted {
  const { message, recipients } = newMessage(
    { acceptedAt, ...changes },
    rows.map(({ recipient }) => recipient ?? {}),
  );
  const answers = new Map<Recipient, HostAnswer>();
  rows.forEach((row, index) => {
    const recipient = recipients[index];
    if (recipient !== undefined) answers.set(recipient, answerOf(row));
  });
  let drawn = 0;
  const chance = (): number => (drawn = (drawn + 0.37) % 1);
  return decideAttempt({
    message,
    answers,
    snapshot,
    mode: snapshot.relay.delivery,
    now: acceptedAt + atHours * hour,
    chance,
  });
}

/** Each notice as its action and the recipients it names. */
function noticesOf({ notices }: Attempted): string[] {
  return notices.map(({ action, entry }) => {
    const { body } = entry.message;
    const text = body.kind === "inline" ? body.bytes.toString("utf8") : "";
    const named = [...text.matchAll(/^Final-Recipient: rfc822; (rcpt\d)@/gm)].map((match) => match[1]);
    return `${action} ${named.join(" ")}`;
  });
}

const refused = { said: "550 5.1.1 no such user" } as const;
const putOff = { said: "451 4.2.0 busy" } as const;

const rows: readonly {
  readonly name: string;
  readonly of: readonly Row[];
  readonly atHours: number;
  readonly message?: Partial<Message>;
  readonly notices: readonly string[];
}[] = [
  { name: "all taken by a hop with DSN", of: [{ taken: "dsn" }], atHours: 0, notices: [] },
  { name: "one of three refused", of: [{ taken: "dsn" }, refused, putOff], atHours: 0, notices: ["failed rcpt1"] },
  { name: "all refused", of: [refused, refused], atHours: 0, notices: ["failed rcpt0 rcpt1"] },
  { name: "put off, and it is early", of: [putOff], atHours: 1, notices: [] },
  { name: "put off, and it is late", of: [putOff, putOff], atHours: 4, notices: ["delayed rcpt0 rcpt1"] },
  {
    name: "put off, and the sender knows",
    of: [{ ...putOff, recipient: { delayNotified: true } }],
    atHours: 9,
    notices: [],
  },
  { name: "time is up", of: [putOff], atHours: 120, notices: ["failed rcpt0"] },
  {
    name: "nobody answered until time was up",
    of: [{ trouble: { phase: "connect" } }],
    atHours: 120,
    notices: ["failed rcpt0"],
  },
  { name: "late and refused at once", of: [putOff, refused], atHours: 5, notices: ["delayed rcpt0", "failed rcpt1"] },
  { name: "success was not asked for", of: [{ taken: "no dsn" }], atHours: 0, notices: [] },
  {
    name: "success was asked for and the hop has DSN",
    of: [{ taken: "dsn", recipient: { notify: ["SUCCESS"] } }],
    atHours: 0,
    notices: [],
  },
  {
    name: "success was asked for and the hop has no DSN",
    of: [{ taken: "no dsn", recipient: { notify: ["SUCCESS", "FAILURE"] } }, { taken: "no dsn" }],
    atHours: 0,
    notices: ["relayed rcpt0"],
  },
  {
    name: "all three kinds at once",
    of: [{ taken: "no dsn", recipient: { notify: ["SUCCESS"] } }, refused, putOff],
    atHours: 5,
    notices: ["relayed rcpt0", "failed rcpt1", "delayed rcpt2"],
  },
  {
    name: "NOTIFY=NEVER",
    of: [refused, putOff, { taken: "no dsn" } as const].map(
      (row) => ({ ...row, recipient: { notify: ["NEVER"] } }) as const,
    ),
    atHours: 5,
    notices: [],
  },
  {
    name: "NOTIFY=SUCCESS, and it fails or is late",
    of: [refused, putOff].map((row) => ({ ...row, recipient: { notify: ["SUCCESS"] } }) as const),
    atHours: 5,
    notices: [],
  },
  {
    name: "NOTIFY=FAILURE, and it is late",
    of: [{ ...putOff, recipient: { notify: ["FAILURE"] } }],
    atHours: 5,
    notices: [],
  },
  {
    name: "NOTIFY=DELAY, and it is late, or fails",
    of: [putOff, refused].map((row) => ({ ...row, recipient: { notify: ["DELAY"] } }) as const),
    atHours: 5,
    notices: ["delayed rcpt0"],
  },
  {
    name: "a message from nobody",
    of: [refused, putOff, { taken: "no dsn", recipient: { notify: ["SUCCESS"] } }],
    atHours: 5,
    message: { sender: "" },
    notices: [],
  },
];

for (const { name, of, atHours, message, notices } of rows) {
  test(`decideAttempt() tells the sender ${JSON.stringify(notices)}: ${name}`, () => {
    assert.deepEqual(noticesOf(decide(of, atHours, message)), notices);
  });
}

test("decideAttempt() notes the delay that it told of, and no other", () => {
  const { recipients } = decide([putOff, { ...putOff, recipient: { notify: ["NEVER"] } }], 5);
  assert.deepEqual(
    recipients.map(({ outcome }) => outcome.kind === "deferred" && outcome.delayNotified === true),
    [true, false],
  );
});

test("decideAttempt() brings recipients that were put off together back together", () => {
  const { recipients } = decide([putOff, putOff, putOff], 1);
  const times = new Set(recipients.map(({ outcome }) => outcome.kind === "deferred" && outcome.dueAt));
  assert.equal(times.size, 1);
});

test("decideAttempt() reports an expiry as 4.4.7 with the last answer as it was given", () => {
  const [notice] = decide([putOff], 120).notices;
  assert.ok(notice?.entry.message.body.kind === "inline");
  const text = notice.entry.message.body.bytes.toString("utf8");
  assert.match(text, /Action: failed\r\nStatus: 4\.4\.7\r\nRemote-MTA: dns; mx\.example\.net\r\n/);
  assert.match(text, /\r\nDiagnostic-Code: smtp; 451 4\.2\.0 busy\r\n/);
});

test("decideAttempt() sends notices where the sender's domain wants them", () => {
  const to = (sender: string): string | undefined =>
    decide([refused], 0, { sender }).notices[0]?.entry.recipients[0]?.address;
  assert.equal(to("app@example.com"), "app@example.com");
  assert.equal(to("app@example.org"), "bounces@example.org");
});

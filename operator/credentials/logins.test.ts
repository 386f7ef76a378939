import assert from "node:assert/strict";
import { test } from "node:test";
import { secretOf } from "../../test/support/operatorobjects.ts";
import type { Secret } from "../kube/objects.ts";
import { basicAuthType, chooseLogins, passwordsOfAUser } from "./logins.ts";
import { readLogin } from "../references/login.ts";

const now = Date.parse("2026-11-30T12:00:00Z");
const field = "spec.senders[0].credentials.secretSelector";

function secret(name: string, values: Readonly<Record<string, string>>, type = basicAuthType): Secret {
  return secretOf({ name, type, values });
}

function chosen(...secrets: readonly Secret[]) {
  return chooseLogins(
    secrets.map((one) => ({ secret: one, field })),
    now,
  );
}

const good = { username: "app", password: "correct horse" };
function ending(name: string, expiresAt: string): Secret {
  const one = secret(name, good);
  return { ...one, metadata: { ...one.metadata, annotations: { "mailboat.dev/expires-at": expiresAt } } };
}

const faults: (readonly [what: string, secret: Secret, message: string])[] = [
  [
    "another type",
    secret("opaque", good, "Opaque"),
    `Secret mail/opaque: has type Opaque: make it anew with type ${basicAuthType}, or take the label off`,
  ],
  ["no user name", secret("s", { password: "x" }), "Secret mail/s: data key username is missing: add it"],
  ["no password", secret("s", { username: "x" }), "Secret mail/s: data key password is missing: add it"],
  [
    "nothing but a line end",
    secret("s", { ...good, password: "\n" }),
    "Secret mail/s: data key password is empty: fill it",
  ],
  [
    "two line ends after the user name",
    secret("s", { ...good, username: "app\n\n" }),
    "Secret mail/s: data key username holds a line end or another control character, which no client can send: remove it",
  ],
  [
    "two line ends after the password",
    secret("s", { ...good, password: "x\n\n" }),
    "Secret mail/s: data key password holds a line end or another control character, which no client can send: remove it",
  ],
  [
    "a NUL in the password",
    secret("s", { ...good, password: "a\0b" }),
    "Secret mail/s: data key password holds a line end or another control character, which no client can send: remove it",
  ],
  [
    "a password that is too long for a relay",
    secret("s", { ...good, password: "x".repeat(1025) }),
    "Secret mail/s: data key password is longer than 1024 octets: make it shorter",
  ],
  [
    "octets that are no text",
    { ...secret("s", good), data: { username: "YXBw", password: "//79" } },
    "Secret mail/s: data key password is not UTF-8: write it as UTF-8",
  ],
];
for (const [what, expiresAt] of [
  ["words", "next week"],
  ["a day alone", "2027-01-31"],
  ["a day that there is not", "2027-02-30T00:00:00Z"],
  ["nothing", ""],
] as const) {
  const why = "annotation mailboat.dev/expires-at is no time: write it like 2027-01-31T00:00:00Z, or take it off";
  faults.push([`${what} for its end`, ending("s", expiresAt), `Secret mail/s: ${why}`]);
}
for (const [what, one, message] of faults) {
  test(`chooseLogins() names a Secret with ${what}, and takes the one beside it`, () => {
    const { logins, problems } = chosen(one, secret("good", good));
    assert.deepEqual(problems, [{ kind: "invalid", object: "Secret", field, message: `${field}: ${message}` }]);
    assert.deepEqual(logins, [{ identity: "mail/good", ...good }]);
  });
}

for (const end of ["\n", "\r\n"]) {
  test(`one line end ${JSON.stringify(end)} is dropped from user name and password, for clients and for next hops`, () => {
    const one = secret("s", { username: `app${end}`, password: `correct horse${end}` });
    assert.deepEqual(chosen(one).logins, [{ identity: "mail/s", ...good }]);
    assert.deepEqual(readLogin(one), { kind: "usable", login: good });
  });
}

test("readLogin() gives a next hop what is written, however it is spelled", () => {
  const login = { username: "u\u0308ser", password: "a\u00a0b" };
  assert.deepEqual(readLogin(secret("hop", login)), { kind: "usable", login });
  assert.deepEqual(chosen(secret("hop", login)).logins, [
    { identity: "mail/hop", username: "\u00fcser", password: "a b" },
  ]);
});

test("chooseLogins() takes so many Secrets of one user name, the oldest, and names the others in a few words", () => {
  const aged = Array.from({ length: 300 }, (_, index): Secret => {
    const one = secret(`s${String(index).padStart(3, "0")}`, {
      username: index % 2 === 0 ? "app" : "APP",
      password: `${index}`,
    });
    const createdAt = new Date(Date.UTC(2026, 0, 300 - index)).toISOString();
    return { ...one, metadata: { ...one.metadata, creationTimestamp: createdAt } };
  });
  const { logins, problems } = chosen(...aged);
  assert.equal(logins.filter(({ username }) => username === "app").length, passwordsOfAUser);
  assert.equal(logins.filter(({ username }) => username === "APP").length, passwordsOfAUser);
  assert.ok(logins.some(({ identity }) => identity === "mail/s299"));
  assert.ok(!logins.some(({ identity }) => identity === "mail/s000"));
  const [first] = problems;
  assert.equal(
    first?.message,
    `${field}: Secrets mail/s234, mail/s232, mail/s230, mail/s228, mail/s226 and 113 more: user name app has more than 32 ` +
      `Secrets, and the oldest are used: remove some`,
  );
  assert.equal(problems.length, 2);
});

test("a Secret that two selectors select is one login", () => {
  const one = secret("s", good);
  const { logins } = chooseLogins(
    [
      { secret: one, field: "a" },
      { secret: one, field: "b" },
    ],
    now,
  );
  assert.equal(logins.length, 1);
});

const dayMs = 86_400_000;
const again = "give the client another one before, or a later time in mailboat.dev/expires-at";
const gone = "delete it, or write a later time in mailboat.dev/expires-at";
const ends: readonly (readonly [
  expiresAt: string,
  isUsed: boolean,
  said: { readonly ended: readonly string[]; readonly ending: readonly string[] },
  nextMs: number | undefined,
])[] = [
  ["2027-11-30T12:00:00Z", true, { ended: [], ending: [] }, dayMs],
  ["2026-12-07T13:00:00Z", true, { ended: [], ending: [] }, 3_600_000],
  [
    "2026-12-07T12:00:00Z",
    true,
    { ended: [], ending: [`Secret mail/s: lets nobody in any more from 2026-12-07T12:00:00Z: ${again}`] },
    dayMs,
  ],
  [
    "2026-11-30T13:00:01+01:00",
    true,
    { ended: [], ending: [`Secret mail/s: lets nobody in any more from 2026-11-30T12:00:01Z: ${again}`] },
    1_000,
  ],
  [
    "2026-11-30T12:00:00Z",
    false,
    { ended: [`Secret mail/s: has let nobody in since 2026-11-30T12:00:00Z: ${gone}`], ending: [] },
    undefined,
  ],
];
for (const [expiresAt, isUsed, said, nextMs] of ends) {
  test(`chooseLogins() at noon of 30 November, with an end of ${expiresAt}`, () => {
    const { logins, problems, ends: told } = chosen(ending("s", expiresAt));
    assert.deepEqual(problems, []);
    assert.deepEqual(logins, isUsed ? [{ identity: "mail/s", ...good, expiresAt: Date.parse(expiresAt) }] : []);
    const named = (texts: readonly string[]): readonly string[] => texts.map((text) => `${field}: ${text}`);
    assert.deepEqual(told, { ended: named(said.ended), ending: named(said.ending), nextMs });
  });
}

test("chooseLogins() names the first few ends, and counts the Secrets whose time is not over", () => {
  const many = Array.from({ length: 40 }, (_, index) =>
    ending(`s${String(index).padStart(2, "0")}`, new Date(now + (index - 20) * 1_000).toISOString()),
  );
  const { logins, problems, ends: told } = chosen(...many);
  assert.deepEqual([logins.length, problems.length], [19, 0]);
  assert.deepEqual([told.ended.length, told.ended.at(-1)], [6, "and 16 more"]);
  assert.deepEqual([told.ending.length, told.ending.at(-1)], [6, "and 14 more"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { secretOf } from "../../test/support/operatorobjects.ts";
import type { Secret } from "../kube/objects.ts";
import { basicAuthType, chooseLogins, passwordsOfAUser } from "./logins.ts";
import { readLogin } from "../references/login.ts";

const field = "spec.senders[0].credentials.secretSelector";

function secret(name: string, values: Readonly<Record<string, string>>, type = basicAuthType): Secret {
  return secretOf({ name, type, values });
}

function chosen(...secrets: readonly Secret[]) {
  return chooseLogins(secrets.map((one) => ({ secret: one, field })));
}

const good = { username: "app", password: "correct horse" };
const faults: readonly (readonly [what: string, secret: Secret, message: string])[] = [
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
  const { logins } = chooseLogins([
    { secret: one, field: "a" },
    { secret: one, field: "b" },
  ]);
  assert.equal(logins.length, 1);
});

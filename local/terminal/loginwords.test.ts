import assert from "node:assert/strict";
import { test } from "node:test";
import { loginWords } from "./loginwords.ts";

const app = { username: "app", source: "Secret mail/app-login in example-com.yaml", isTaken: true };
const unused = { username: "spare", source: "Secret mail/spare in example-com.yaml", isTaken: false };
const many = ["one", "two", "three", "four", "five", "sixth"].map((username) => ({ ...app, username }));

const cases = [
  [
    "a wrong password",
    "app",
    [app],
    /the password is not the one of Secret mail\/app-login in example-com\.yaml \(data key password\)$/,
  ],
  [
    "a slip of the hand",
    "apq",
    [app],
    /no user is called so: did you mean app \(Secret mail\/app-login in example-com\.yaml\)\?$/,
  ],
  ["a user that is not there", "somebody", [app], /no user is called so; there is app \(Secret mail/],
  ["one of many that is not there", "somebody", many, /; there is one .*five \(Secret [^)]*\) and 1 more$/],
  [
    "a Secret that no SenderDomain takes",
    "spare",
    [app, unused],
    /no SenderDomain takes Secret mail\/spare in example-com\.yaml: give it the labels/,
  ],
  ["a folder without users", "app", [], /there is no user: add a Secret of type kubernetes\.io\/basic-auth/],
] as const;
for (const [what, username, known, words] of cases) {
  test(`${what} is named, with what to do`, () => {
    const text = loginWords({ kind: "login failed", listener: "submission", username }, known);
    assert.ok(text.startsWith(`login as "${username}" on submission failed: `), text);
    assert.match(text, words);
  });
}

test("a name that could not be read is said, and a hostile one is harmless and short", () => {
  assert.match(
    loginWords({ kind: "login failed", listener: "smtp" }, [app]),
    /^login on smtp failed: the client names two/,
  );
  const text = loginWords({ kind: "login failed", listener: "smtp", username: `\u001b[2J${"x".repeat(500)}` }, [app]);
  assert.match(text, /^login as " \[2Jx+…" on smtp failed/);
  assert.ok(text.length < 250, text);
});

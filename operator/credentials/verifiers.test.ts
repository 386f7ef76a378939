/** What the operator derives of Secrets and what the relay makes of the same texts, from strings that neither has seen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { secretOf } from "../../test/support/operatorobjects.ts";
import { ScramClient } from "../../test/support/scramclient.ts";
import type { CredentialDocument } from "../../api/relayconfig.ts";
import { createPasswordCheck } from "../../relay/reception/identity/passwords.ts";
import { readClientLogin } from "../references/login.ts";
import { Verifiers } from "./verifiers.ts";

const relay = "mail/outbound";
const app = { identity: "mail/app", username: "app", password: "x" };
const erp = { identity: "mail/erp", username: "erp", password: "x" };

test("verifiers are kept while somebody asks for them, and forgotten with the Secret", async () => {
  const verifiers = new Verifiers();
  await verifiers.of({ asker: "a", relay }, [app, erp]);
  await verifiers.of({ asker: "b", relay }, [app]);
  assert.equal(verifiers.size, 2);
  await verifiers.of({ asker: "a", relay }, [app]);
  assert.equal(verifiers.size, 1);
  verifiers.forget("a");
  assert.equal(verifiers.size, 1);
  const [kept] = await verifiers.of({ asker: "b", relay }, [{ ...app, password: "changed" }]);
  assert.notEqual(kept?.scram.storedKey, undefined);
  assert.equal(verifiers.size, 1);
  verifiers.forget("b");
  verifiers.forget("b");
  assert.equal(verifiers.size, 0);
});

test("all passwords of a user at a relay have one salt, and another relay or user has another", async () => {
  const verifiers = new Verifiers();
  const saltOf = async (at: string, login: typeof app): Promise<string | undefined> =>
    (await verifiers.of({ asker: "a", relay: at }, [login]))[0]?.scram.salt;
  const salt = await saltOf(relay, app);
  assert.equal(await saltOf(relay, { ...app, identity: "mail/other", password: "y" }), salt);
  assert.notEqual(await saltOf("mail/inbound", app), salt);
  assert.notEqual(await saltOf(relay, erp), salt);
});

test("a password that SCRAM spells in another way has a verifier of each spelling, with one salt", async () => {
  const documents = await new Verifiers().of({ asker: "a", relay }, [{ ...app, password: "\ufb01ne", expiresAt: 5 }]);
  assert.deepEqual(
    documents.map(({ identity, username, expiresAt }) => ({ identity, username, expiresAt })),
    Array.from({ length: 2 }, () => ({ identity: "mail/app", username: "app", expiresAt: 5 })),
  );
  assert.equal(new Set(documents.map(({ scram }) => scram.salt)).size, 1);
  const credentials = new Map([["app", documents]]);
  const passwords = createPasswordCheck();
  for (const [password, isRight] of [
    ["\ufb01ne", true],
    ["fine", true],
    ["Fine", false],
  ] as const) {
    const asked = passwords.challenge(
      { credentials, relay: { relay: { namespace: "mail", name: "outbound" } } },
      "app",
    );
    const client = new ScramClient({ username: "app", password });
    const said = `r=${client.nonce},s=${asked.salt},i=${asked.iterations}`;
    const [, withoutProof = "", proof = ""] = /^(.*),p=(.*)$/.exec(client.final(said)) ?? [];
    const first = client.first().slice("n,,".length);
    const proven = asked.prove(`${first},${said},${withoutProof}`, Buffer.from(proof, "base64"));
    assert.equal(proven.kind, isRight ? "proven" : "refusal", password);
  }
});

test("a relay asks an unknown name with the salt that the name gets when it becomes a user's", async () => {
  const passwords = createPasswordCheck();
  const relayOf = { relay: { namespace: "mail", name: "outbound" } };
  const unknown = passwords.challenge({ credentials: new Map(), relay: relayOf }, app.username);
  const [document] = await new Verifiers().of({ asker: "a", relay }, [app]);
  assert.deepEqual([unknown.salt, unknown.iterations], [document?.scram.salt, document?.scram.iterations]);
});

/** What a client may send for a text: the text, its letters and marks apart, its spaces as no-break spaces. */
const spellings: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.normalize("NFD"),
  (text) => text.replaceAll(" ", "\u00a0"),
];

function unitsOf(): fc.Arbitrary<string> {
  const telling = fc.constantFrom(
    ...Array.from("\u00bd\u00a0\u3000 \u0308\uff41\uff76\uff9e\u1e9b\u0323\ufb01\u212b\r\n\t\0"),
  );
  return fc.oneof(telling, fc.string({ unit: "binary", minLength: 1, maxLength: 1 }));
}

test("whatever a Secret holds logs in as it is written, or is named as what nobody can log in with", async () => {
  const text = fc.array(unitsOf(), { minLength: 0, maxLength: 12 }).map((units) => units.join(""));
  const end = fc.constantFrom("", "\n", "\r\n");
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(text, text, end),
      fc.constantFrom(...spellings),
      async ([username, password, line], spell) => {
        const values = { username: username + line, password: password + line };
        const reading = readClientLogin(secretOf({ name: "app", type: "kubernetes.io/basic-auth", values }));
        const isSendable = !/\p{Cc}|^$/u.test(username) && !/[\0\r\n]|^$/.test(password);
        if (reading.kind === "invalid") {
          assert.equal(isSendable, false);
          return;
        }
        const [document] = await new Verifiers().of({ asker: "a", relay }, [
          { identity: "mail/app", ...reading.login },
        ]);
        assert.ok(document !== undefined);
        const credentials: ReadonlyMap<string, readonly CredentialDocument[]> = new Map([
          [document.username, [document]],
        ]);
        const passwords = createPasswordCheck();
        const login = { username: spell(username), password: spell(password) };
        if (isSendable) assert.equal((await passwords.prove(credentials, login)).kind, "proven");
        const wrong = { ...login, password: `${login.password}x` };
        assert.equal((await passwords.prove(credentials, wrong)).kind, "refusal");
      },
    ),
    { numRuns: 300 },
  );
});

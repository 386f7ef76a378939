import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { type InForce, readManifests, settleManifests } from "./manifests.ts";

const relayText = await readFile(new URL("../../examples/local/relay.yaml", import.meta.url), "utf8");
const secretText = `apiVersion: v1
kind: Secret
metadata: {name: login, namespace: mail}
type: kubernetes.io/basic-auth
stringData:
  username: app
  password: secret
`;

function names(inForce: readonly InForce[]): readonly string[] {
  return inForce.map(
    ({ file, object }) => `${file} ${object.kind} ${object.metadata.namespace}/${object.metadata.name}`,
  );
}

test("readManifests() takes several documents of a file, and plain text of a Secret as base64", () => {
  const read = readManifests("all.yaml", `${relayText}\n---\n${secretText}---\n# nothing\n`);
  assert.deepEqual(read.problems, []);
  assert.deepEqual(
    read.documents.map((document) => document.id),
    ["MailRelay mail/outbound", "Secret mail/login"],
  );
  const secret = read.documents[1]?.object;
  assert.deepEqual(secret?.kind === "Secret" ? secret.data : undefined, { username: "YXBw", password: "c2VjcmV0" });
});

test("readManifests() takes ConfigMaps, their text and binary data alike", () => {
  const text =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bundle, namespace: mail}\ndata: {ca.crt: pem}\nbinaryData: {ca.jks: AAEC}\n";
  const read = readManifests("bundle.yaml", text);
  assert.deepEqual(read.problems, []);
  const [map] = read.documents;
  assert.equal(map?.id, "ConfigMap mail/bundle");
  assert.deepEqual(map.object?.kind === "ConfigMap" ? map.object.data : undefined, {
    "ca.crt": "cGVt",
    "ca.jks": "AAEC",
  });
  const { problems } = readManifests("bundle.yaml", text.replace("ca.crt: pem", "ca.crt: 1"));
  assert.deepEqual(
    problems.map(({ path, object }) => [path, object]),
    [["data.ca.crt", "ConfigMap mail/bundle"]],
  );
});

const mistakes: readonly (readonly [string, string, number, string, RegExp])[] = [
  ["text that is not YAML", "a: 1\nb: [\n", 3, "", /^is not YAML/],
  ["a field with a wrong value", relayText.replace("Implicit", "Implcit"), 17, "spec.listeners[1].tlsMode", /StartTLS/],
  [
    "a Secret without its password",
    secretText.replace("  password: secret\n", ""),
    6,
    "stringData.password",
    /is missing/,
  ],
  ["Secret data that is not base64", `${secretText}data: {x: "?"}\n`, 8, "data.x", /stringData/],
  [
    "a kind that is not ours",
    "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n",
    1,
    "apiVersion",
    /mailboat\.dev\/v1alpha1/,
  ],
];

for (const [name, text, line, path, message] of mistakes) {
  test(`readManifests() names file, line, field and what to do for ${name}`, () => {
    const [problem, ...others] = readManifests("one.yaml", text).problems;
    assert.deepEqual(others, []);
    assert.deepEqual([problem?.file, problem?.line, problem?.path], ["one.yaml", line, path]);
    assert.match(problem?.message ?? "", message);
  });
}

test("settleManifests() keeps the last good version of a wrong object and takes the others of its file", () => {
  const good = settleManifests([], [readManifests("a.yaml", `${relayText}\n---\n${secretText}`)]);
  const edited = `${relayText.replace("Implicit", "Implcit")}\n---\n${secretText.replace("secret", "better")}`;
  const next = settleManifests(good.inForce, [readManifests("a.yaml", edited)]);
  assert.deepEqual(next.inForce[0], good.inForce[0]);
  const secret = next.inForce[1]?.object;
  assert.equal(secret?.kind === "Secret" ? secret.data["password"] : "", Buffer.from("better").toString("base64"));
  assert.equal(next.problems.length, 1);
});

test("settleManifests() keeps all that a file last gave while it is not YAML, and nothing of a file that is gone", () => {
  const before = settleManifests([], [readManifests("a.yaml", relayText), readManifests("b.yaml", secretText)]).inForce;
  const broken = settleManifests(before, [readManifests("a.yaml", "a: ["), readManifests("b.yaml", secretText)]);
  assert.deepEqual(names(broken.inForce), ["a.yaml MailRelay mail/outbound", "b.yaml Secret mail/login"]);
  const gone = settleManifests(before, [readManifests("b.yaml", secretText)]);
  assert.deepEqual(names(gone.inForce), ["b.yaml Secret mail/login"]);
});

test("settleManifests() lets the first file have an object that two files give, and says so", () => {
  const files = [readManifests("a.yaml", secretText), readManifests("b.yaml", secretText)];
  const { inForce, problems } = settleManifests([], files);
  assert.deepEqual(names(inForce), ["a.yaml Secret mail/login"]);
  assert.match(problems[0]?.message ?? "", /already given by a\.yaml/);
});

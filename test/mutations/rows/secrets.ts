/** Changes that tell a secret: the search of what programs print must find it. */
import type { Mutation } from "../mutation.ts";

const told = "test/scenario/no-secret-is-told.test.ts";

export const secretMutations: readonly Mutation[] = [
  {
    what: "what is said of a document that is no JSON repeats a part of it",
    file: "relay/config/load.ts",
    old: "throw new Error(`it is no JSON${where}`);",
    new: "throw new Error(`${String(error)}${where}`);",
    test: told,
  },
  {
    what: "a login that is malformed is answered with what it was",
    file: "relay/smtp/server/sasl.ts",
    old: "return message === undefined ? undecodable : begin(message);",
    new: 'return message === undefined ? refusal(501, "5.5.2", `No base64: ${initial}`) : begin(message);',
    test: told,
  },
  {
    what: "a password is a line of the log",
    file: "relay/reception/identity/plain.ts",
    old: 'const [authzid = "", authcid = "", password, ...more] = message.toString().split("\\0");',
    new: 'const [authzid = "", authcid = "", password, ...more] = message.toString().split("\\0");\n  process.stdout.write(`${JSON.stringify({ level: "trace", message: message.toString("base64") })}\\n`);',
    test: told,
  },
  {
    what: "a prime of a DKIM key is a line of the log",
    file: "relay/config/load.ts",
    old: 'return createPrivateKey({ key: { ...rsaKeyOf(key) }, format: "jwk" });',
    new: 'process.stdout.write(`${JSON.stringify({ level: "trace", q: key.q })}\n`);\n  return createPrivateKey({ key: { ...rsaKeyOf(key) }, format: "jwk" });',
    test: told,
  },
  {
    what: "an RSA key as pods hold it is no secret",
    file: "test/support/secrets/documents.ts",
    old: "  if (primes.success) {",
    new: "  if (primes.success && value === undefined) {",
    test: "test/support/secrets/secrets.test.ts",
  },
  {
    what: "secrets are looked for in base64 only where they begin a group",
    file: "test/support/secrets/spellings.ts",
    old: "[0, 1, 2].map((offset)",
    new: "[0].map((offset)",
    test: "test/support/secrets/secrets.test.ts",
  },
  {
    what: "programs are not listened to",
    file: "test/support/program.ts",
    old: "    hearLines(options.logFile, this.lines);\n",
    new: "",
    test: "test/support/secrets/secrets.test.ts",
  },
];

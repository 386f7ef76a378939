/** What an issuer may answer, over real HTTPS. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { signingIssuer } from "../../test/support/tokens.ts";
import { issueLeaf, makeCertificateAuthority } from "../trust/issue.ts";
import { fetchIssuer } from "./fetch.ts";

const authority = await makeCertificateAuthority(Date.now());
const leaf = await issueLeaf({ authority, names: ["localhost"], now: Date.now() });
const { jwk, key } = signingIssuer();
const discoveryPath = "/realms/staff/.well-known/openid-configuration";

/** Answers by path; a text as it is, anything else as JSON. */
async function issuerWith(t: TestContext, pages: (base: string) => Readonly<Record<string, unknown>>): Promise<string> {
  let base = "";
  const answer: RequestListener = ({ url = "" }, response) => {
    const page = pages(base)[url];
    if (page === undefined) response.writeHead(404).end();
    else if (page === "redirect") response.writeHead(302, { location: `${base}/elsewhere` }).end();
    else if (page === "switch") response.writeHead(101, { connection: "upgrade", upgrade: "websocket" }).end();
    else if (page === "stall") response.write("{");
    else if (page === "hang up") response.destroy();
    else if (page !== "silence") response.end(typeof page === "string" ? page : JSON.stringify(page));
  };
  const server = createServer({ key: leaf.privateKey, cert: leaf.certificate }, answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  base = `https://localhost:${(server.address() as AddressInfo).port}`;
  return `${base}/realms/staff`;
}

const good = (base: string): Readonly<Record<string, unknown>> => ({
  [discoveryPath]: { issuer: `${base}/realms/staff`, jwks_uri: `${base}/keys`, more: 1 },
  "/keys": { keys: [jwk, { kty: "oct", k: "secret" }, { ...jwk, kid: "encrypts", use: "enc" }] },
});

test("the keys of an issuer are those of its jwks_uri that check signatures, without what else they say", async (t) => {
  const issuer = await issuerWith(t, good);
  assert.deepEqual(await fetchIssuer({ issuer, ca: authority.certificate }), { issuer, keys: [key] });
  const { d: _secret, ...shown } = key;
  assert.deepEqual(key, shown);
});

const rows: readonly (readonly [string, (base: string) => Readonly<Record<string, unknown>>, RegExp])[] = [
  ["has none", () => ({}), /^Error: it answers 404$/],
  ["leads elsewhere", () => ({ [discoveryPath]: "redirect" }), /^Error: it answers 302: redirects are not followed$/],
  ["says nothing", () => ({ [discoveryPath]: "silence" }), /^Error: no answer in time$/],
  ["stalls", () => ({ [discoveryPath]: "stall" }), /^Error: no answer in time$/],
  ["switches protocols", () => ({ [discoveryPath]: "switch" }), /^Error: it answers 101$/],
  ["hangs up", () => ({ [discoveryPath]: "hang up" }), /^Error: socket hang up$/],
  [
    "is no JSON",
    () => ({ [discoveryPath]: "<html>" }),
    /^Error: \/realms\/staff\/\.well-known\/openid-configuration is no JSON$/,
  ],
  ["is something else", () => ({ [discoveryPath]: { hello: 1 } }), /^Error: its .* is no discovery document$/],
  ["is too long", () => ({ [discoveryPath]: " ".repeat(600_000) }), /^Error: its answer is longer than 512 KiB$/],
  [
    "is another's",
    (base) => ({ [discoveryPath]: { issuer: base, jwks_uri: `${base}/keys` } }),
    /^Error: its discovery document is of another issuer/,
  ],
  [
    "has keys in the clear",
    (base) => ({ [discoveryPath]: { issuer: `${base}/realms/staff`, jwks_uri: "http://localhost/keys" } }),
    /^Error: its jwks_uri is no https:\/\/ address$/,
  ],
  [
    "names no keys",
    (base) => ({ [discoveryPath]: { issuer: `${base}/realms/staff` } }),
    /^Error: its jwks_uri is no https:\/\/ address$/,
  ],
  [
    "leads to no keys",
    (base) => ({ ...good(base), "/keys": { hello: 1 } }),
    /^Error: what its jwks_uri has is no JWK Set$/,
  ],
  [
    "has no key that is pinned",
    (base) => ({ ...good(base), "/keys": { keys: [{ kty: "oct", k: "x" }] } }),
    /^Error: it has no key for RS256/,
  ],
];
for (const [what, pages, said] of rows) {
  test(`an issuer whose discovery document ${what} is not read`, async (t) => {
    const issuer = await issuerWith(t, pages);
    await assert.rejects(fetchIssuer({ issuer, ca: authority.certificate }, 300), (error) => {
      assert.match(String(error), said);
      return true;
    });
  });
}

test("an issuer whose certificate somebody else signed is not read", async (t) => {
  const issuer = await issuerWith(t, good);
  await assert.rejects(fetchIssuer({ issuer, ca: undefined }), /self-signed certificate|unable to verify/);
});

test("the roots that the operator is started with are believed where no caRef is", async (t) => {
  const issuer = await issuerWith(t, good);
  const folder = await mkdtemp(join(tmpdir(), "mailboat-roots-"));
  t.after(async () => rm(folder, { recursive: true }));
  const roots = join(folder, "roots.pem");
  await writeFile(roots, authority.certificate);
  const program = `import { fetchIssuer } from ${JSON.stringify(new URL("fetch.ts", import.meta.url).href)};
    process.stdout.write((await fetchIssuer({ issuer: process.argv[1], ca: undefined })).issuer);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program, issuer], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: roots },
    timeout: 20_000,
  });
  assert.equal(stdout, issuer);
});

/**
 * Tokens that a real API server mints, held against what a real operator wrote of its keys: they log in until their end, for their own
 * audience alone; when the cluster begins to sign with another key, the operator brings it as soon as a pod tells of it, and no login is
 * refused for good meanwhile. An operator that may not read the keys says so, with the command.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { relayDocument, relayDocumentName, type TokenIssuerDocument } from "../../api/relayconfig.ts";
import { secretView } from "../../operator/kube/cluster/views.ts";
import { secretText } from "../../operator/kube/secret.ts";
import { UnknownKeys } from "../../relay/reception/identity/tokens/unknownkeys.ts";
import type { OwnControlPlane } from "../support/controlplane/controlplane.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { type Bed, makeCertificate, openBed, snapshotOf, type SnapshotWish } from "../support/submission.ts";
import { keepSecret } from "../support/secrets/disclosure.ts";
import { signingIssuer } from "../support/tokens.ts";

const skip = lackingControlPlane();
const relay = { namespace: "mail", name: "outbound" };
const audience = "mailboat";
const unknownKeys = new UnknownKeys();
let stage: OperatorStage<OwnControlPlane>;
let pods: PodStandIn;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.openOwn(import.meta.url);
    stage.plane.kubectl(["create", "namespace", "mail"]);
    stage.giveSecrets("mail");
    await stage.operator().leading();
    // What a pod reports is what the relay of this test knows.
    const report = (): object => {
      const awaited = unknownKeys.awaited(Date.now());
      return awaited.length === 0 ? {} : { unknownTokenKeys: [...awaited] };
    };
    pods = await startPods(stage.client, { report });
    stage.apply(
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace: "mail", name: "checkout" } },
      relayManifest({ ...relay, spec: { identities: { serviceAccounts: {} } } }),
      domainManifest({
        namespace: "mail",
        name: "example-com",
        spec: { senders: [{ name: "pods", serviceAccounts: [{ namespace: "mail", name: "checkout" }] }] },
      }),
    );
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await stage.close();
});

/** As pods have it, once it holds so many keys. */
async function issuersWith(keys: number, deadlineMs = 10_000): Promise<readonly TokenIssuerDocument[]> {
  let found: readonly TokenIssuerDocument[] = [];
  await stage.until(
    "Secret",
    { namespace: "mail", name: "outbound-configuration" },
    {
      what: `${keys} keys of tokens`,
      fits: (raw) => {
        const text = secretText(secretView(raw), relayDocumentName);
        found = text === undefined ? [] : (relayDocument.parse(JSON.parse(text)).tokenIssuers ?? []);
        return found[0]?.keys.length === keys;
      },
      deadlineMs,
    },
  );
  return found;
}

function mint(wanted = audience): string {
  const args = ["create", "token", "checkout", "--namespace", "mail", "--audience", wanted, "--duration", "10m"];
  const token = stage.plane.kubectl(args).trim();
  keepSecret("a token of the API server", token);
  return token;
}

const listeners = [{ name: "submissions", tlsMode: "Implicit", authentication: "Required" }];
const certificate = await makeCertificate();

function wishOf(tokenIssuers: readonly TokenIssuerDocument[]): SnapshotWish {
  return { listeners, certificate, tokenIssuers };
}

async function logIn(bed: Bed, token: string): Promise<string> {
  const client = await bed.connect("submissions");
  assert.match(await client.reply(), /^220 /);
  await client.command("EHLO client.example");
  return client.command(`AUTH PLAIN ${Buffer.from(`\0\0${token}`).toString("base64")}`);
}

test(
  "a minted token logs in until its end, also when its account is gone; another audience's and another cluster's do not",
  { skip },
  async (t) => {
    const issuers = await issuersWith(1);
    const bed = await openBed(wishOf(issuers));
    t.after(() => bed.close());
    const token = mint();
    assert.match(await logIn(bed, token), /^235 /);
    assert.match(
      await logIn(bed, mint("https://kubernetes.default.svc")),
      /^535 5\.7\.8 The token is for another audience/,
    );
    const [, payload = ""] = token.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
    // Clusters call themselves alike; a key id may be alike by intent alone.
    const forger = signingIssuer("RS256", issuers[0]?.keys[0]?.["kid"] ?? "");
    assert.match(await logIn(bed, forger.token(claims)), /^535 5\.7\.8 /);
    const elsewhere = signingIssuer("RS256", "of another cluster");
    assert.match(await logIn(bed, elsewhere.token(claims)), /^454 4\.7\.0 The token's key is not known here yet/);
    const named = { ...claims, iss: "https://kubernetes.other.example" };
    assert.match(await logIn(bed, elsewhere.token(named)), /^535 5\.7\.8 /);
    stage.plane.kubectl(["delete", "serviceaccount", "checkout", "--namespace", "mail"]);
    assert.match(await logIn(bed, token), /^235 /);
    const later = await openBed(wishOf(issuers), { clock: { now: () => Date.now() + 11 * 60_000 } });
    t.after(() => later.close());
    assert.match(await logIn(later, token), /^535 5\.7\.8 The token has expired/);
    stage.plane.kubectl(["create", "serviceaccount", "checkout", "--namespace", "mail"]);
  },
);

test(
  "a domain of ServiceAccounts is ready, and one whose relay takes none of their tokens says whose field is missing",
  { skip },
  async () => {
    const domain = { namespace: "mail", name: "example-com" };
    await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", status: "True" });
    await stage.untilCondition("SenderDomain", domain, { type: "Accepted", status: "True", reason: "Accepted" });
    stage.apply(
      relayManifest({ namespace: "mail", name: "bare" }),
      domainManifest({
        namespace: "mail",
        name: "bare",
        spec: {
          domain: "bare.example",
          relayRef: { name: "bare" },
          senders: [
            { name: "pods", serviceAccounts: [{ namespace: "mail", name: "checkout" }] },
            { name: "people", oidc: [{ issuer: "staff", users: ["ann"] }] },
          ],
        },
      }),
    );
    const bare = { namespace: "mail", name: "bare" };
    const { message } = await stage.untilCondition("SenderDomain", bare, { type: "Accepted", reason: "NoSenders" });
    assert.match(
      message,
      /spec\.senders\[0\]\.serviceAccounts: MailRelay mail\/bare takes no tokens of ServiceAccounts/,
    );
    assert.match(message, /spec\.senders\[1\]\.oidc\[0\]\.issuer: MailRelay mail\/bare has no entry staff/);
  },
);

test(
  "an issuer that cannot be read is named in a condition, and its tokens alone are without keys",
  { skip },
  async () => {
    const staff = { name: "staff", issuer: "https://127.0.0.1:1", audience };
    const identities = { serviceAccounts: {}, oidc: [staff] };
    stage.apply(relayManifest({ ...relay, spec: { identities } }));
    const wanted = { type: "ResolvedRefs", status: "False", reason: "IssuerUnreadable" };
    const { message } = await stage.untilCondition("MailRelay", relay, wanted);
    assert.match(
      message,
      /^spec\.identities\.oidc\[0\]\.issuer: https:\/\/127\.0\.0\.1:1 cannot be read: .*ECONNREFUSED/,
    );
    const [cluster, people] = await issuersWith(1);
    assert.deepEqual([cluster?.kind, people?.kind, people?.keys], ["ServiceAccounts", "OIDC", []]);
    stage.apply(relayManifest({ ...relay, spec: { identities: { serviceAccounts: {} } } }));
    await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", status: "True" });
  },
);

test(
  "when the cluster signs with another key, no login is lost: it is answered for now until the operator has brought the key",
  { skip },
  async (t) => {
    const issuers = await issuersWith(1);
    const bed = await openBed(wishOf(issuers), { unknownKeys });
    t.after(() => bed.close());
    const former = mint();
    assert.match(await logIn(bed, former), /^235 /);
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    await stage.plane.killServer();
    await stage.plane.startServer(privateKey.export({ type: "pkcs1", format: "pem" }).toString());
    const fresh = mint();
    assert.match(await logIn(bed, fresh), /^454 4\.7\.0 The token's key is not known here yet/);
    const both = await issuersWith(2, 30_000);
    bed.snapshots.set(snapshotOf(wishOf(both)));
    assert.match(await logIn(bed, fresh), /^235 /);
    assert.match(await logIn(bed, former), /^235 /);
  },
);

import assert from "node:assert/strict";
import { test } from "node:test";
import { relayOf } from "../../test/support/operatorobjects.ts";
import { signingIssuer } from "../../test/support/tokens.ts";
import type { RelayDocument, TokenIssuerDocument } from "../../api/relayconfig.ts";
import { type IssuerFact, type IssuerFacts, issuerRemarks, noIssuers, tokenIssuersOf } from "./issuer.ts";

const { key } = signingIssuer("ES256", "a");
const { key: former } = signingIssuer("ES256", "b");
const issuer = "https://login.example.com";
const { identities } = relayOf({
  identities: { serviceAccounts: {}, oidc: [{ name: "staff", issuer, audience: "mail", groupsClaim: "groups" }] },
}).spec;
const installation = { namespace: "mailboat-system", serviceAccount: "mailboat-operator" };
const read = (of: string): IssuerFact => ({ found: { issuer: of, keys: [key] }, failure: undefined, isReading: false });
const failed = (failure: NonNullable<IssuerFact["failure"]>): IssuerFact => ({
  found: undefined,
  failure,
  isReading: false,
});

type Mounted = Pick<RelayDocument, "tokenIssuers">;

function mountedWith(...tokenIssuers: TokenIssuerDocument[]): Mounted {
  return { tokenIssuers };
}

const clusterDocument: TokenIssuerDocument = {
  kind: "ServiceAccounts",
  issuer: "https://cluster",
  audience: "mailboat",
  keys: [former],
};
const staffDocument: TokenIssuerDocument = {
  kind: "OIDC",
  name: "staff",
  issuer,
  audience: "mail",
  usernameClaim: "sub",
  groupsClaim: "groups",
  keys: [former],
};

test("a relay that asks for no tokens has no word of them in its document", () => {
  assert.deepEqual(tokenIssuersOf(relayOf().spec.identities, noIssuers, undefined), {});
});

test("documents have what was read; before that, what the pods have; before that, no key", () => {
  const facts: IssuerFacts = { cluster: read("https://cluster"), oidc: new Map([["staff", read(issuer)]]) };
  const withKeys = (keys: TokenIssuerDocument["keys"]) => [
    { ...clusterDocument, keys },
    { ...staffDocument, keys },
  ];
  const mounted = mountedWith(clusterDocument, staffDocument);
  assert.deepEqual(tokenIssuersOf(identities, facts, mounted).tokenIssuers, withKeys([key]));
  assert.deepEqual(tokenIssuersOf(identities, noIssuers, mounted).tokenIssuers, withKeys([former]));
  const { issuer: _unread, ...unread } = clusterDocument;
  assert.deepEqual(tokenIssuersOf(identities, noIssuers, undefined).tokenIssuers, [
    { ...unread, keys: [] },
    { ...staffDocument, keys: [] },
  ]);
  // Keys of another issuer under the same name are not this one's.
  const renamed = mountedWith({ ...staffDocument, issuer: "https://other.example.com" });
  assert.deepEqual(tokenIssuersOf(identities, noIssuers, renamed).tokenIssuers?.[1]?.keys, []);
});

test("what is said of issuers that cannot be read names the field, and whether anybody logs in meanwhile", () => {
  const facts: IssuerFacts = {
    cluster: failed({ kind: "forbidden" }),
    oidc: new Map([["staff", failed({ kind: "unreadable", why: "it answers 503" })]]),
  };
  const told = (mounted?: Mounted) => issuerRemarks({ identities, facts, mounted, installation });
  assert.deepEqual(told(), [
    {
      message:
        "spec.identities.serviceAccounts: the operator may not read the keys of the cluster's tokens; whoever runs it can allow that: " +
        "kubectl create clusterrolebinding mailboat-token-keys --clusterrole system:service-account-issuer-discovery " +
        "--serviceaccount mailboat-system:mailboat-operator; nobody logs in with its tokens until then",
      isWithoutKeys: true,
    },
    {
      message:
        "spec.identities.oidc[0].issuer: https://login.example.com cannot be read: it answers 503; " +
        "nobody logs in with its tokens until then",
      isWithoutKeys: true,
    },
  ]);
  const held = told(mountedWith(clusterDocument, staffDocument));
  assert.deepEqual(
    held.map(({ isWithoutKeys }) => isWithoutKeys),
    [false, false],
  );
  assert.ok(held.every(({ message }) => message.endsWith("; the keys that were read before stay in force")));
});

test("where there is no cluster, that is said and is no obstacle", () => {
  const facts: IssuerFacts = { cluster: failed({ kind: "none" }), oidc: new Map() };
  const [remark] = issuerRemarks({ identities, facts, mounted: undefined, installation });
  assert.match(remark?.message ?? "", /there is no cluster here that issues tokens/);
  assert.equal(remark?.isWithoutKeys, false);
});

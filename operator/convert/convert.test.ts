import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { readManifest } from "../../api/manifest.ts";
import { convertManifests } from "./convert.ts";

const relay = `# Our relay.
apiVersion: mailboat.dev/v1alpha1
kind: MailRelay
metadata: {name: outbound, namespace: mail}
spec:
  hostname: relay.example.com
  listeners:
    - {name: submission, port: 587, authentication: Required}
  tls: {secretName: outbound-tls}
  authentication: # who may log in
    credentials: {secretSelector: {matchLabels: {app: shop}}}
    clientCertificates: {caSecretName: clients-ca}
    oidc:
      - {issuer: "https://login.example.com", audience: mailboat}
  allowedNamespaces:
    from: Selector
    selector: {matchLabels: {mail: "yes"}}
    domains: [shop.example]
  delivery:
    smarthosts:
      - host: smtp.example.net # the provider
        port: 587
        credentialsSecretName: login
        caSecretName: ca
      - {host: backup.example.net, port: 587}
  tracing: {endpoint: "http://collector:4318", headersSecretName: headers, caSecretName: collector-ca}
  events: {webhook: {url: "https://hooks.example.com", secretName: signing}}
`;
const domain = `apiVersion: mailboat.dev/v1alpha1
kind: SenderDomain
metadata: {name: shop, namespace: shop}
spec:
  domain: shop.example
  relayRef: {name: outbound, namespace: mail}
  dkim:
    keys:
      - {selector: s1, secretName: shop-dkim}
  senders:
    - credentials: {secretSelector: {matchLabels: {app: shop}}}
    - credentials: {secretSelector: {matchLabels: {app: erp}}}
    - trustedNetworks: true
  addresses: [billing]
`;

function specsOf(text: string): readonly Record<string, unknown>[] {
  return parseAllDocuments(text).map((document) => (document.toJS() as { spec: Record<string, unknown> }).spec);
}

test("convertManifests() gives the form of today, which is valid and keeps comments", () => {
  const converted = convertManifests(`${relay}---\n${domain}`);
  for (const document of parseAllDocuments(converted)) {
    const manifest = readManifest(document.toJS());
    assert.notEqual(manifest.kind, "invalid", JSON.stringify(manifest));
  }
  for (const comment of ["# Our relay.", "# who may log in", "# the provider"]) assert.ok(converted.includes(comment));
  const [first, second] = specsOf(converted);
  assert.deepEqual(first?.["tls"], { secretRef: { name: "outbound-tls" } });
  assert.deepEqual(first["tenants"], [
    { name: "own", namespaces: { from: "Same" }, may: ["Smarthosts"] },
    {
      name: "others",
      namespaces: { from: "Selector", selector: { matchLabels: { mail: "yes" } } },
      domains: ["shop.example"],
      may: ["Smarthosts"],
    },
  ]);
  assert.deepEqual(first["events"], {
    sinks: [{ name: "webhook", url: "https://hooks.example.com", secretRef: { name: "signing" } }],
  });
  const { smarthosts } = first["delivery"] as { readonly smarthosts: readonly unknown[] };
  assert.deepEqual(smarthosts[0], {
    name: "first",
    host: "smtp.example.net",
    port: 587,
    credentialsRef: { name: "login" },
    caRef: { name: "ca" },
  });
  const { senders, localParts } = second as { senders: readonly { name: string }[]; localParts: unknown };
  assert.deepEqual(
    senders.map(({ name }) => name),
    ["logins", "logins-2", "networks"],
  );
  assert.deepEqual(localParts, ["billing"]);
  assert.match(converted, /mail: "yes"/, "kubectl would read a bare yes as true");
});

test("convertManifests() changes nothing of what is in the form of today", () => {
  const once = convertManifests(`${relay}---\n${domain}`);
  assert.equal(convertManifests(once), once);
  const other = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n";
  assert.equal(convertManifests(other), other);
});

test("convertManifests() lets domains keep a way out of their own", () => {
  const plain = relay.replace(/ {2}allowedNamespaces:[^]*? {2}delivery:/, "  delivery:");
  const own = domain
    .replace("namespace: shop}", "namespace: mail}")
    .concat("  smarthosts: [{host: smtp.shop.example, port: 587}]\n");
  const [spec] = specsOf(convertManifests(`${plain}---\n${own}`));
  assert.deepEqual(spec?.["tenants"], [{ name: "own", namespaces: { from: "Same" }, may: ["Smarthosts"] }]);
});

test("convertManifests() says where a text is no YAML", () => {
  assert.throws(() => convertManifests("spec: [a\nkind: b"), /line \d+/);
});

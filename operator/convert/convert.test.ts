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

/** Of each text as a file of its own. */
function converted(...texts: readonly string[]): string {
  const conversion = convertManifests(texts.map((text, index) => ({ name: `${index}.yaml`, text })));
  assert.ok(conversion.kind === "converted");
  return conversion.text;
}

test("convertManifests() gives the form of today, which is valid and keeps comments", () => {
  const text = converted(`${relay}---\n${domain}`);
  for (const document of parseAllDocuments(text)) {
    const manifest = readManifest(document.toJS());
    assert.notEqual(manifest.kind, "invalid", JSON.stringify(manifest));
  }
  for (const comment of ["# Our relay.", "# who may log in", "# the provider"]) assert.ok(text.includes(comment));
  const [first, second] = specsOf(text);
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
  assert.match(text, /mail: "yes"/, "kubectl would read a bare yes as true");
});

test("convertManifests() changes nothing of what is in the form of today", () => {
  const once = converted(`${relay}---\n${domain}`);
  assert.equal(converted(once), once);
  const other = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n";
  assert.equal(converted(other), other);
});

test("convertManifests() lets domains keep a way out of their own", () => {
  const plain = relay.replace(/ {2}allowedNamespaces:[^]*? {2}delivery:/, "  delivery:");
  const own = domain
    .replace("namespace: shop}", "namespace: mail}")
    .concat("  smarthosts: [{host: smtp.shop.example, port: 587}]\n");
  const [spec] = specsOf(converted(`${plain}---\n${own}`));
  assert.deepEqual(spec?.["tenants"], [{ name: "own", namespaces: { from: "Same" }, may: ["Smarthosts"] }]);
});

test("convertManifests() keeps files apart, and a relay allows what a domain of another file needs", () => {
  const own = domain.concat("  smarthosts: [{host: smtp.shop.example, port: 587}]\n");
  const plain = relay.replace(/ {2}allowedNamespaces:[^]*? {2}delivery:/, "  delivery:");
  const text = converted(plain, own);
  assert.equal(parseAllDocuments(text).length, 2);
  assert.deepEqual(specsOf(text)[0]?.["tenants"], [{ name: "own", namespaces: { from: "Same" }, may: ["Smarthosts"] }]);
});

test("convertManifests() converts what is in a List, as kubectl prints it", () => {
  const items = [relay, domain].map((text) => parseAllDocuments(text)[0]?.toJS() as object);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  const printed = parseAllDocuments(converted(list))[0]?.toJS() as { items: unknown[] };
  assert.deepEqual(
    printed.items.map((item) => readManifest(item).kind),
    ["MailRelay", "SenderDomain"],
  );
});

test("convertManifests() says in which file and where a text is no YAML", () => {
  const files = [
    { name: "good.yaml", text: relay },
    { name: "bad.yaml", text: "spec: [a\nkind: b" },
  ];
  const conversion = convertManifests(files);
  assert.ok(conversion.kind === "invalid");
  assert.match(conversion.message, /^bad\.yaml is no YAML: .+ at line \d+, column \d+$/);
});

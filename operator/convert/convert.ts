/**
 * Manifests as they were written for the first edition of v1alpha1 -> the form of today. Works on the text's own nodes, so that
 * comments and order stay. What is in today's form already stays as it is. Pure.
 */
import { type Document, isMap, isScalar, isSeq, type Pair, parseAllDocuments, Scalar, type YAMLMap } from "yaml";

type Member = Pair<unknown, unknown>;
type Edit = (spec: YAMLMap, document: Document) => void;

export interface ManifestFile {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

export type Conversion =
  | { readonly kind: "converted"; readonly text: string }
  /** Which file, which line. */
  | { readonly kind: "invalid"; readonly message: string };

/** One stream of documents, whatever the number of files: what one of them allows another may need. */
export function convertManifests(files: readonly ManifestFile[]): Conversion {
  // kubectl reads YAML 1.1, where a bare yes is true.
  const streams = files.map(({ name, text }) => ({ name, documents: parseAllDocuments(text, { compat: "yaml-1.1" }) }));
  for (const { name, documents } of streams) {
    const error = documents.flatMap(({ errors }) => errors)[0];
    if (error === undefined) continue;
    return { kind: "invalid", message: `${name} is no YAML: ${error.message.split(":\n")[0] ?? error.code}` };
  }
  const documents = streams.flatMap((stream) => [...stream.documents]);
  const objects = documents.flatMap((document) => objectsOf(document.contents).map((object) => ({ object, document })));
  const haveWaysOfTheirOwn = objects.some(({ object }) => entriesOf(object.getIn(["spec", "smarthosts"])).length > 0);
  for (const { object, document } of objects) convertObject(object, { document, haveWaysOfTheirOwn });
  // Files end where the next one begins.
  for (const { directives } of documents.slice(1)) directives.docStart = true;
  const texts = documents.map((document) => document.toString({ lineWidth: 0, flowCollectionPadding: false }));
  return { kind: "converted", text: texts.join("") };
}

/** Of a List, as `kubectl get --output yaml` prints it, what is in it. */
function objectsOf(contents: unknown): readonly YAMLMap[] {
  if (!isMap(contents)) return [];
  const items = entriesOf(contents.get("items"));
  return String(contents.get("kind")).endsWith("List") ? items : [contents];
}

const edits: Readonly<Record<string, readonly Edit[]>> = {
  MailRelay: [identities, tenants, tls, relaySmarthosts, tracing, events],
  SenderDomain: [dkimKeys, senders, localParts, domainSmarthosts],
};

interface Surroundings {
  readonly document: Document;
  readonly haveWaysOfTheirOwn: boolean;
}

/** Every domain could name its own way out: where a text has one that does, the relay goes on to allow it. */
function convertObject(object: YAMLMap, { document, haveWaysOfTheirOwn }: Surroundings): void {
  const kind: unknown = object.get("kind");
  const spec: unknown = object.get("spec");
  if (typeof kind !== "string" || !isMap(spec)) return;
  if (kind === "MailRelay" && haveWaysOfTheirOwn && !spec.has("allowedNamespaces") && !spec.has("tenants")) {
    spec.items.push(document.createPair("allowedNamespaces", {}));
  }
  for (const edit of edits[kind] ?? []) edit(spec, document);
}

function identities(spec: YAMLMap, document: Document): void {
  rename(spec, "authentication", "identities");
  const all = spec.get("identities");
  if (!isMap(all)) return;
  const certificates = all.get("clientCertificates");
  if (isMap(certificates)) refer(certificates, { from: "caSecretName", to: "caRef", document });
  nameEntries(all.get("oidc"), document, (_entry, index) => `issuer-${index + 1}`);
}

/** The relay's own namespace was always welcome, with any domain, whatever was said of others. */
function tenants(spec: YAMLMap, document: Document): void {
  const member = memberOf(spec, "allowedNamespaces");
  if (member === undefined) return;
  const may = ["Smarthosts"];
  const own = { name: "own", namespaces: { from: "Same" }, may: [...may] };
  const allowed: unknown = isMap(member.value) ? member.value.toJSON() : {};
  const { from = "Same", selector, domains } = allowed as Readonly<Record<string, unknown>>;
  const others = {
    name: "others",
    namespaces: { from, ...(selector === undefined ? {} : { selector }) },
    ...(domains === undefined ? {} : { domains }),
    may,
  };
  member.key = new Scalar("tenants");
  member.value = document.createNode(from === "Same" ? [own] : [own, others]);
}

function tls(spec: YAMLMap, document: Document): void {
  const source = spec.get("tls");
  if (isMap(source)) refer(source, { from: "secretName", to: "secretRef", document });
}

function relaySmarthosts(spec: YAMLMap, document: Document): void {
  const delivery = spec.get("delivery");
  if (!isMap(delivery)) return;
  smarthosts(delivery.get("smarthosts"), document);
  smarthosts(delivery.get("fallbackSmarthosts"), document);
}

function domainSmarthosts(spec: YAMLMap, document: Document): void {
  smarthosts(spec.get("smarthosts"), document);
}

function smarthosts(list: unknown, document: Document): void {
  nameEntries(list, document, (_entry, index) => (index === 0 ? "first" : `other-${index}`));
  for (const entry of entriesOf(list)) {
    refer(entry, { from: "credentialsSecretName", to: "credentialsRef", document });
    refer(entry, { from: "caSecretName", to: "caRef", document });
  }
}

function tracing(spec: YAMLMap, document: Document): void {
  const settings = spec.get("tracing");
  if (!isMap(settings)) return;
  refer(settings, { from: "headersSecretName", to: "headersRef", document });
  refer(settings, { from: "caSecretName", to: "caRef", document });
}

function events(spec: YAMLMap, document: Document): void {
  const settings = spec.get("events");
  const member = isMap(settings) ? memberOf(settings, "webhook") : undefined;
  if (member === undefined || !isMap(member.value)) return;
  refer(member.value, { from: "secretName", to: "secretRef", document });
  const sink: unknown = member.value.toJSON();
  member.key = new Scalar("sinks");
  member.value = document.createNode([{ name: "webhook", ...(sink as object) }]);
}

function dkimKeys(spec: YAMLMap, document: Document): void {
  const dkim = spec.get("dkim");
  if (!isMap(dkim)) return;
  for (const key of entriesOf(dkim.get("keys"))) refer(key, { from: "secretName", to: "secretRef", document });
}

function senders(spec: YAMLMap, document: Document): void {
  const kinds: Readonly<Record<string, string>> = {
    credentials: "logins",
    serviceAccounts: "pods",
    clientCertificates: "certificates",
    trustedNetworks: "networks",
  };
  const taken = new Map<string, number>();
  nameEntries(spec.get("senders"), document, (entry) => {
    const kind = Object.keys(kinds).find((name) => entry.has(name)) ?? "credentials";
    const name = kinds[kind] ?? kind;
    const count = (taken.get(name) ?? 0) + 1;
    taken.set(name, count);
    return count === 1 ? name : `${name}-${count}`;
  });
}

function localParts(spec: YAMLMap): void {
  rename(spec, "addresses", "localParts");
}

interface Referral {
  readonly from: string;
  readonly to: string;
  readonly document: Document;
}

/** `…SecretName: x` becomes `…Ref: {name: x}`. */
function refer(map: YAMLMap, { from, to, document }: Referral): void {
  const member = memberOf(map, from);
  if (member === undefined) return;
  const name: unknown = isScalar(member.value) ? member.value.value : member.value;
  member.key = new Scalar(to);
  member.value = document.createNode({ name }, { flow: true });
}

function nameEntries(list: unknown, document: Document, nameOf: (entry: YAMLMap, index: number) => string): void {
  entriesOf(list).forEach((entry, index) => {
    if (!entry.has("name")) entry.items.unshift(document.createPair("name", nameOf(entry, index)));
  });
}

function entriesOf(list: unknown): readonly YAMLMap[] {
  return isSeq(list) ? list.items.filter((item): item is YAMLMap => isMap(item)) : [];
}

function rename(map: YAMLMap, from: string, to: string): void {
  const member = memberOf(map, from);
  if (member !== undefined && isScalar(member.key)) member.key.value = to;
}

function memberOf(map: YAMLMap, name: string): Member | undefined {
  return map.items.find((pair) => isScalar(pair.key) && pair.key.value === name);
}

/** Manifests that nobody wrote: the full examples with some of their values changed into others, likely and unlikely. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parse } from "yaml";
import type { RawObject } from "../../../operator/kube/client/resource.ts";
import { repositoryRoot } from "../results.ts";

type Json = unknown;
type Path = readonly (string | number)[];

const words = ["", "a", "A", "a-b", "a--b", "-a", "a_b", "a b", "0", "http", "*", "a".repeat(41), "a".repeat(64)];
const hosts = ["example.com", "Example.COM", "localhost", "*.example.com", "a.*.com", "bücher.example", "example.com."];
const more = [".example.com", "a..b", `${"a".repeat(63)}.com`, `${"a".repeat(64)}.com`, "_spf.example.com"];
const durations = ["1h", "5d", "1s500ms", "0s", "90s", "1h1h", "100000h", "99999h", "1.5h", "24h", "720h", "ms"];
const quantities = ["10Gi", "10GB", "1e3", "1E3", "-1", "0", ".5", "5.", "16Mi", "64Ti", "1Ei", "100m", "1k"];
const networks = ["10.0.0.0/8", "10.0.0.1/8", "0.0.0.0/0", "::/0", "fd00::/8", "fd00::1/8", "10.0.0.0", "10.0.0.0/33"];
const odd = ["::ffff:10.0.0.0/104", "010.0.0.0/8", "1.1.1.1", "::1", "fe80::1%eth0"];
const choices = ["None", "StartTLS", "Implicit", "Required", "Optional", "Opportunistic", "All", "Same", "Selector"];
const addresses = [
  "a@example.com",
  "*@example.com",
  "a@b",
  "@example.com",
  "a@b@c.com",
  "https://x.example/y",
  "http://",
];
const urls = ["https://x?y", "http://x:99999", "0.5", "1.0", "1", "1.1", "0.1234567891"];

const text = fc.constantFrom(
  ...[words, hosts, more, durations, quantities, networks, odd, choices, addresses, urls].flat(),
);
const number = fc.constantFrom(
  -1,
  0,
  1,
  2,
  25,
  99,
  100,
  587,
  2025,
  2587,
  9464,
  9465,
  65_535,
  65_536,
  1.5,
  1e6,
  1e9,
  1e15,
);
const anything = fc.oneof(text, number, fc.constantFrom<Json>(true, false, null, [], {}, [""], { a: "b" }));

interface Change {
  readonly path: Path;
  /** Undefined takes the value away. */
  readonly value: Json;
}

/** In that namespace. */
export function generatedManifest(namespace: string): fc.Arbitrary<RawObject> {
  const kinds = [
    "mailrelay-full",
    "mailrelay-minimal",
    "mailrelay-staging",
    "senderdomain-full",
    "senderdomain-minimal",
  ];
  const manifests = kinds.map((name): RawObject => {
    const file = join(repositoryRoot, `examples/valid/${name}.yaml`);
    const manifest = parse(readFileSync(file, "utf8")) as RawObject;
    return { ...manifest, metadata: { ...manifest.metadata, namespace } };
  });
  return fc.constantFrom(...manifests).chain((manifest) =>
    fc
      .array(changeOf(manifest), { minLength: 0, maxLength: 2 })
      .map((changes) => changes.reduce<Json>((value, change) => changed(value, change.path, change), manifest))
      .map((value) => value as RawObject),
  );
}

/** Values become others of their kind more often than not, so that rules are met and not only types. */
function changeOf(manifest: RawObject): fc.Arbitrary<Change> {
  return fc.constantFrom(...pathsIn(manifest["spec"], ["spec"]), ["metadata", "name"]).chain((path) => {
    const present = valueAt(manifest, path);
    const similar = typeof present === "number" ? number : typeof present === "string" ? text : similarTo(present);
    const value = fc.oneof({ weight: 6, arbitrary: similar }, { weight: 1, arbitrary: anything });
    return fc.oneof(
      { weight: 5, arbitrary: value.map((one): Change => ({ path, value: one })) },
      { weight: 1, arbitrary: fc.constant<Change>({ path, value: undefined }) },
    );
  });
}

function similarTo(present: Json): fc.Arbitrary<Json> {
  if (Array.isArray(present)) {
    const list: readonly Json[] = present;
    return fc.constantFrom<Json>([], list.toReversed(), [...list, ...list], list.slice(1));
  }
  if (typeof present === "boolean") return fc.constantFrom<Json>(true, false, "true");
  if (typeof present === "object" && present !== null) {
    return fc.constantFrom<Json>({}, { ...present, extra: 1 }, Object.fromEntries(Object.entries(present).slice(1)));
  }
  return anything;
}

function pathsIn(value: Json, path: Path): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, member]) => pathsIn(member, [...path, keyIn(value, key)]))];
}

function keyIn(value: object, key: string): string | number {
  return Array.isArray(value) ? Number(key) : key;
}

function valueAt(value: Json, path: Path): Json {
  return path.reduce<Json>(
    (at, key) => (typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined),
    value,
  );
}

/** A change below something that another change has taken away comes to nothing. */
function changed(value: Json, [key, ...rest]: Path, change: Change): Json {
  if (key === undefined) return change.value;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return value;
  const next = changed(Reflect.get(value, key), rest, change);
  if (Array.isArray(value)) {
    const list: readonly Json[] = value;
    return next === undefined ? list.filter((_, index) => index !== key) : list.with(Number(key), next);
  }
  if (next !== undefined) return { ...value, [key]: next };
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== String(key)));
}

/** Every example is read as a manifest: the valid ones are taken, each invalid one is refused with what it says itself. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { customResourceDefinitions } from "../api/crd/definition.ts";
import { isFormer } from "../api/former/fields.ts";
import { type Fault, readManifest } from "../api/manifest.ts";
import { placeIn } from "../api/fault/path.ts";
import type { StructuralSchema } from "../api/crd/structural.ts";

const folder = join(import.meta.dirname, "..", "examples");

interface Example {
  readonly name: string;
  readonly text: string;
  readonly documents: readonly unknown[];
}

function examplesIn(kind: string): Example[] {
  const names = readdirSync(join(folder, kind)).filter((name) => name.endsWith(".yaml"));
  return names.toSorted().map((name) => {
    const text = readFileSync(join(folder, kind, name), "utf8");
    const documents = parseAllDocuments(text).map((document) => {
      assert.deepEqual(document.errors, [], name);
      const value: unknown = document.toJS();
      return value;
    });
    return { name: `${kind}/${name}`, text, documents };
  });
}

function faultsOf(document: unknown): readonly Fault[] {
  const manifest = readManifest(document);
  return manifest.kind === "invalid" ? manifest.errors : [];
}

/** What an invalid example's first two lines promise. */
function promiseOf(text: string): Fault {
  const [, path = "", message = ""] = /^# field: (.+)\n# message: (.+)\n/.exec(text) ?? [];
  return { path, message };
}

const taken = ["valid", "local", "cluster", "two-hops"].flatMap(examplesIn);
const refused = examplesIn("invalid");

for (const { name, documents } of taken) {
  test(`examples/${name} is taken`, () => {
    const ours = documents.filter((document) => placeIn(document, ["kind"]) !== "Secret");
    assert.deepEqual(ours.flatMap(faultsOf), []);
    const secrets = documents.filter((document) => placeIn(document, ["kind"]) === "Secret");
    const unnamed = secrets.filter((secret) => typeof placeIn(secret, ["metadata", "name"]) !== "string");
    assert.deepEqual(unnamed, []);
  });
}

for (const { name, text, documents } of refused) {
  test(`examples/${name} is refused with the field and message it names`, () => {
    assert.deepEqual(documents.flatMap(faultsOf), [promiseOf(text)]);
  });
}

test("the valid examples use every field of both kinds", () => {
  const manifests = taken.flatMap(({ documents }) => documents);
  const unused = specs().flatMap(([kind, spec]) => {
    const written = new Set(
      manifests.filter((value) => placeIn(value, ["kind"]) === kind).flatMap((value) => pathsIn(value, "")),
    );
    return fieldsOf(spec, "spec").filter((path) => !written.has(path));
  });
  assert.deepEqual(unused, []);
});

test("every rule beyond a type has an invalid example that breaks it", () => {
  const promised = new Set(refused.map(({ text }) => promiseOf(text).message));
  const missing = specs()
    .flatMap(([, , root]) => rulesOf(root))
    .filter(({ rule, message }) => !rule.includes("oldSelf") && !promised.has(message));
  assert.deepEqual(missing, []);
});

function specs(): [string, StructuralSchema, StructuralSchema][] {
  return customResourceDefinitions().map(({ metadata, spec }) => {
    const root = spec.versions[0]?.schema.openAPIV3Schema ?? {};
    return [
      metadata.name.startsWith("mailrelays") ? "MailRelay" : "SenderDomain",
      root.properties?.["spec"] ?? {},
      root,
    ];
  });
}

/** The parts of a label selector, which is Kubernetes' own and the same everywhere. */
const selectorParts = ["matchLabels", "matchExpressions"];

/** Paths of all fields, list positions left out. */
function fieldsOf(schema: StructuralSchema, path: string): string[] {
  if (schema.items !== undefined) return fieldsOf(schema.items, path);
  const fields = Object.entries(schema.properties ?? {}).filter(
    ([name, field]) => !selectorParts.includes(name) && !isFormer(field),
  );
  return fields.flatMap(([name, field]) => [`${path}.${name}`, ...fieldsOf(field, `${path}.${name}`)]);
}

function pathsIn(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((entry) => pathsIn(entry, path));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const place = path === "" ? key : `${path}.${key}`;
    return [place, ...pathsIn(member, place)];
  });
}

const writtenRules = z.array(z.object({ rule: z.string(), message: z.string() }));

function rulesOf(schema: StructuralSchema): z.infer<typeof writtenRules> {
  const own = writtenRules.parse(schema["x-kubernetes-validations"] ?? []);
  const below = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  return [...own, ...below.flatMap((part) => (part === undefined ? [] : rulesOf(part)))];
}

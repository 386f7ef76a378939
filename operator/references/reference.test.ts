import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { customResourceDefinitions } from "../../api/crd/definition.ts";
import { group } from "../../api/group.ts";
import { mailRelay } from "../../api/mailrelay.ts";
import { isFormer } from "../../api/former/fields.ts";
import { senderDomain } from "../../api/senderdomain.ts";
import type { StructuralSchema } from "../../api/crd/structural.ts";
import { repositoryRoot } from "../../test/support/results.ts";
import { relayReferences, relaySelections } from "../mailrelay/references.ts";
import { domainReferences, domainSelections } from "../senderdomain/references.ts";

/** Fields that name objects of neither kind: ours, and cert-manager's. */
const others = new Set(["spec.relayRef", "spec.tls.certManager.issuerRef"]);

function fieldsIn(schema: StructuralSchema, path: string, isWanted: (name: string) => boolean): readonly string[] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    if (isFormer(member)) return [];
    const field = path === "" ? name : `${path}.${name}`;
    return [...(isWanted(name) ? [field] : []), ...fieldsIn(member, field, isWanted)];
  });
  return schema.items === undefined ? members : [...members, ...fieldsIn(schema.items, `${path}[]`, isWanted)];
}

function specOf(kind: string): StructuralSchema {
  const name = `${kind.toLowerCase()}s.${group}`;
  const definition = customResourceDefinitions().find(({ metadata }) => metadata.name === name);
  const spec = definition?.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"];
  assert.ok(spec !== undefined);
  return { properties: { spec } };
}

function example(name: string): unknown {
  return parse(readFileSync(join(repositoryRoot, "examples/valid", name), "utf8"));
}

const fullRelay = mailRelay.parse(example("mailrelay-full.yaml"));
const fullDomain = senderDomain.parse(example("senderdomain-full.yaml"));

/** Fields that are followed where an object has all that there is, without their places in lists. */
function followed(found: readonly { readonly field: string }[]): readonly string[] {
  return [...new Set(found.map(({ field }) => field.replaceAll(/\[\d+\]/g, "[]")))].sort();
}

for (const [kind, references, selections] of [
  ["MailRelay", relayReferences(fullRelay), relaySelections(fullRelay)],
  ["SenderDomain", domainReferences(fullDomain), domainSelections(fullDomain)],
] as const) {
  test(`every reference of a ${kind} is declared: it is read, its changes are heard, and conditions speak of it`, () => {
    const named = fieldsIn(specOf(kind), "", (name) => name.endsWith("Ref")).filter((field) => !others.has(field));
    assert.ok(named.length > 0);
    assert.deepEqual(
      named.filter((field) => !followed(references).includes(field)),
      [],
    );
    const selected = fieldsIn(specOf(kind), "", (name) => name === "secretSelector");
    assert.deepEqual(selected.toSorted(), followed(selections));
  });
}

test("each reference has its own field, the resource's namespace, and the kind and key that the manifest says", () => {
  const { namespace } = fullRelay.metadata;
  const found = relayReferences(fullRelay);
  assert.deepEqual(
    found.find(({ field }) => field === "spec.tracing.caRef"),
    {
      kind: "ConfigMap",
      namespace,
      name: "collector-ca",
      field: "spec.tracing.caRef",
      dataKey: "ca.crt",
      use: "authorities",
    },
  );
  assert.ok(found.some(({ field, use }) => field === "spec.delivery.smarthosts[0].credentialsRef" && use === "login"));
  assert.equal(new Set(found.map(({ field }) => field)).size, found.length);
  const keys = domainReferences(fullDomain).filter(({ use }) => use === "signingKey");
  assert.deepEqual(
    keys.map(({ field }) => field),
    (fullDomain.spec.dkim?.keys ?? []).map((_key, index) => `spec.dkim.keys[${index}].secretRef`),
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { unjudged } from "../condition.ts";
import { customResourceDefinitions } from "./definition.ts";
import { isFormer } from "../former/fields.ts";
import type { StructuralSchema } from "./structural.ts";

interface Place {
  readonly path: string;
  readonly schema: StructuralSchema;
}

function placesBelow(path: string, schema: StructuralSchema): Place[] {
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    placesBelow(`${path}.${name}`, field),
  );
  const items = schema.items === undefined ? [] : placesBelow(`${path}[]`, schema.items);
  const values =
    schema.additionalProperties === undefined ? [] : placesBelow(`${path}[*]`, schema.additionalProperties);
  return [{ path, schema }, ...fields, ...items, ...values];
}

/** What Kubernetes describes itself (metadata and its neighbours) is not ours to bound. */
const places = customResourceDefinitions().flatMap(({ spec }) => {
  const fields = spec.versions[0]?.schema.openAPIV3Schema.properties ?? {};
  return ["spec", "status"].flatMap((name) => placesBelow(name, fields[name] ?? {}));
});

function pathsWhere(isWrong: (schema: StructuralSchema) => boolean): string[] {
  return places.filter(({ schema }) => isWrong(schema)).map(({ path }) => path);
}

test("customResourceDefinitions() gives the same bytes twice", () => {
  assert.equal(JSON.stringify(customResourceDefinitions()), JSON.stringify(customResourceDefinitions()));
});

test("each definition is under 256 KiB, so that plain kubectl apply can annotate it", () => {
  for (const definition of customResourceDefinitions()) {
    assert.ok(JSON.stringify(definition, null, 2).length < 256 * 1024, definition.metadata.name);
  }
});

const shapes: readonly { name: string; isWrong: (schema: StructuralSchema) => boolean }[] = [
  {
    name: "text is bounded, so that rules over it have a bounded cost",
    isWrong: (schema) =>
      schema["type"] === "string" && schema["enum"] === undefined && schema["maxLength"] === undefined,
  },
  { name: "a list is bounded", isWrong: (schema) => schema["type"] === "array" && schema["maxItems"] === undefined },
  {
    name: "a list says whether it is a map, a set or atomic",
    isWrong: (schema) =>
      schema["type"] === "array" && !["map", "set", "atomic"].includes(String(schema["x-kubernetes-list-type"])),
  },
  {
    name: "a list map has a key that its entries must have",
    isWrong: (schema) => {
      const keys = schema["x-kubernetes-list-map-keys"];
      const required = schema.items?.["required"];
      if (schema["x-kubernetes-list-type"] !== "map") return keys !== undefined;
      return !(Array.isArray(keys) && Array.isArray(required) && keys.every((key) => required.includes(key)));
    },
  },
  {
    name: "a map is bounded",
    isWrong: (schema) => schema.additionalProperties !== undefined && schema["maxProperties"] === undefined,
  },
  { name: "there are no fractions", isWrong: (schema) => schema["type"] === "number" },
  {
    name: "only what is Kubernetes' own is left open",
    isWrong: (schema) =>
      schema["x-kubernetes-preserve-unknown-fields"] === true &&
      String(schema["description"]) !== "As in a pod's spec.",
  },
  {
    name: "a field that is not an object says what it is",
    isWrong: (schema) => schema["type"] === undefined && schema["x-kubernetes-int-or-string"] !== true,
  },
];

for (const { name, isWrong } of shapes) {
  test(`in every definition ${name}`, () => assert.deepEqual(pathsWhere(isWrong), []));
}

test("an object that nobody has looked at is not taken for ready by whoever waits for it", () => {
  for (const { spec } of customResourceDefinitions()) {
    const status = spec.versions[0]?.schema.openAPIV3Schema.properties?.["status"];
    assert.deepEqual(status?.["default"], unjudged);
    assert.equal(unjudged.observedGeneration, -1);
    assert.deepEqual(
      unjudged.conditions.map((one) => `${one.type} ${one.status}`),
      ["Ready Unknown"],
    );
  }
});

test("every field has a description", () => {
  const former = places.filter(({ schema }) => isFormer(schema)).map(({ path }) => `${path}.`);
  const silent = places
    .filter(({ path, schema }) => !path.endsWith("]") && typeof schema["description"] !== "string")
    .filter(({ path }) => !former.some((start) => path.startsWith(start)));
  assert.deepEqual(
    silent.map(({ path }) => path),
    [],
  );
});

test("the certificate's source has no default in the definition, so that a later manifest can choose another", () => {
  const tls = places.filter(({ path }) => path === "spec.tls");
  assert.deepEqual(
    tls.map(({ schema }) => schema["default"]),
    [undefined],
  );
});

test("the default of an object holds the defaults of its fields, so that its rules hold for it", () => {
  const retry = places.find(({ path }) => path === "spec.delivery.retry");
  assert.deepEqual(retry?.schema["default"], { first: "1m", max: "4h", expireAfter: "120h", notifyDelayAfter: "4h" });
});

test("what a person types and sees stays as it is", () => {
  const faces = customResourceDefinitions().map(({ metadata, spec }) => ({
    name: metadata.name,
    names: spec.names,
    columns: spec.versions[0]?.additionalPrinterColumns.map(
      ({ name, priority }) => `${name}${priority === 1 ? " (wide)" : ""}`,
    ),
    subresources: spec.versions[0]?.subresources,
  }));
  assert.deepEqual(faces, [
    {
      name: "mailrelays.mailboat.dev",
      names: {
        kind: "MailRelay",
        listKind: "MailRelayList",
        plural: "mailrelays",
        singular: "mailrelay",
        shortNames: ["mr"],
        categories: ["mail"],
      },
      columns: [
        "Ready",
        "Pods",
        "Queued",
        "Late",
        "Late 1h (wide)",
        "Late 1d (wide)",
        "Captured (wide)",
        "Oldest",
        "Oldest Due",
        "Address",
        "Age",
      ],
      subresources: {
        scale: {
          specReplicasPath: ".spec.replicas",
          statusReplicasPath: ".status.replicas",
          labelSelectorPath: ".status.selector",
        },
        status: {},
      },
    },
    {
      name: "senderdomains.mailboat.dev",
      names: {
        kind: "SenderDomain",
        listKind: "SenderDomainList",
        plural: "senderdomains",
        singular: "senderdomain",
        shortNames: ["sd"],
        categories: ["mail"],
      },
      columns: ["Ready", "Domain", "Relay", "DKIM", "DNS", "Limited (wide)", "Age"],
      subresources: { status: {} },
    },
  ]);
});

test("no definition gives a default inside a list item: every apply of an unchanged manifest would be a change", () => {
  const given = new Set(pathsWhere((schema) => schema["default"] !== undefined));
  assert.deepEqual(
    [...given].filter((path) => path.includes("[]")),
    [],
  );
  assert.ok(given.has("spec.replicas"), "elsewhere they are given");
});

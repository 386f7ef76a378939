import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { toStructural } from "./structural.ts";

function structural(schema: z.ZodType): unknown {
  return toStructural(z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" }));
}

const forms: readonly { name: string; schema: z.ZodType; expected: object }[] = [
  {
    name: "an object is not closed and loses zod's own bounds",
    schema: z.strictObject({ count: z.int() }),
    expected: { type: "object", properties: { count: { type: "integer" } }, required: ["count"] },
  },
  {
    name: "a map keeps the form of its values",
    schema: z.record(z.string(), z.string().max(3)).meta({ maxProperties: 2 }),
    expected: { type: "object", maxProperties: 2, additionalProperties: { type: "string", maxLength: 3 } },
  },
  {
    name: "a loose object is left to Kubernetes",
    schema: z.looseObject({}),
    expected: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  },
  {
    name: "a default is completed from the fields below",
    schema: z
      .strictObject({ a: z.int().default(1), b: z.strictObject({ c: z.string().default("x") }).prefault({}) })
      .prefault({ a: 2 }),
    expected: {
      type: "object",
      default: { a: 2, b: { c: "x" } },
      properties: {
        a: { type: "integer", default: 1 },
        b: { type: "object", default: { c: "x" }, properties: { c: { type: "string", default: "x" } } },
      },
    },
  },
  {
    name: "a default inside a list item is told and not given",
    schema: z.strictObject({
      list: z
        .array(
          z.strictObject({
            mode: z.string().default("a").describe("How."),
            more: z.array(z.string()).default([]).describe("What else."),
            deep: z.strictObject({ count: z.int().default(1) }).prefault({}),
          }),
        )
        .default([]),
    }),
    expected: {
      type: "object",
      properties: {
        list: {
          type: "array",
          default: [],
          items: {
            type: "object",
            properties: {
              mode: { type: "string", description: "How. a when absent." },
              more: { type: "array", description: "What else.", items: { type: "string" } },
              deep: { type: "object", properties: { count: { type: "integer" } } },
            },
          },
        },
      },
    },
  },
  {
    name: "a default for decoders alone is not said",
    schema: z.strictObject({ a: z.int().optional() }).prefault({ a: 1 }).meta({ "x-mailboat-decoded-default": true }),
    expected: { type: "object", properties: { a: { type: "integer" } } },
  },
];

for (const { name, schema, expected } of forms) {
  test(`toStructural(): ${name}`, () => assert.deepEqual(structural(schema), expected));
}

test("toStructural() refuses a union that is not int-or-string, with its path", () => {
  const schema = z.strictObject({ list: z.array(z.union([z.boolean(), z.string()])) });
  assert.throws(() => structural(schema), { message: "list[]: has no type, so it is not structural" });
});

test("toStructural() refuses a keyword that an API server does not know, with its path", () => {
  const schema = z.strictObject({ when: z.string().meta({ contentEncoding: "base64" }) });
  assert.throws(() => structural(schema), { message: "when: contentEncoding has no structural form" });
});

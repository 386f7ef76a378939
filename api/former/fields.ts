/**
 * Fields of the first edition of v1alpha1 that have other names today, and whose absence no rule would notice. An API server leaves
 * out what its definition does not know, when it reads what is stored as well: a relay would be without its logins and tenants, in
 * silence. So the definitions go on to know these fields, take no new value in them, and whoever decodes a stored one meets it.
 * Pure.
 */
import { z } from "zod";
import { placeIn } from "../fault/path.ts";
import type { StructuralSchema } from "../crd/structural.ts";
import { renamedHint, todaysName } from "./hint.ts";

interface Former {
  /** Below the root of a MailRelay. */
  readonly path: readonly string[];
  /** Without words: those are made of today's name. */
  readonly schema: StructuralSchema;
  /** CEL over the field: what the first edition's API server filled in by itself says nothing. */
  readonly saysNothing: string;
}

const text: StructuralSchema = { type: "string", maxLength: 2048 };

function object(...fields: readonly string[]): StructuralSchema {
  return { type: "object", properties: Object.fromEntries(fields.map((field) => [field, text])) };
}

function list(items: StructuralSchema): StructuralSchema {
  return { type: "array", maxItems: 256, items, "x-kubernetes-list-type": "atomic" };
}

/**
 * Whole, and not open to anything: an API server lets a fault be that was there before only where its definition knows all of the
 * value, and would take no status of a relay with an open one.
 */
const expression = { type: "object", properties: { key: text, operator: text, values: list(text) } };
const labels = { type: "object", maxProperties: 32, additionalProperties: text };
const selector = { type: "object", properties: { matchLabels: labels, matchExpressions: list(expression) } };

function secretName(...path: readonly string[]): Former {
  return { path, schema: text, saysNothing: "self.size() == 0" };
}

const formerFields: readonly Former[] = [
  {
    path: ["spec", "authentication"],
    schema: {
      type: "object",
      properties: {
        credentials: { type: "object", properties: { secretSelector: selector } },
        serviceAccounts: object("audience"),
        clientCertificates: object("caSecretName"),
        oidc: list(object("issuer", "audience", "usernameClaim", "caSecretName")),
      },
    },
    saysNothing:
      "!has(self.credentials) && !has(self.serviceAccounts) && !has(self.clientCertificates) && " +
      "(!has(self.oidc) || self.oidc.size() == 0)",
  },
  {
    path: ["spec", "allowedNamespaces"],
    schema: {
      type: "object",
      properties: { from: text, selector, domains: list(text) },
    },
    saysNothing: "!has(self.from) || self.from == 'Same'",
  },
  secretName("spec", "tls", "secretName"),
  secretName("spec", "tracing", "headersSecretName"),
  secretName("spec", "tracing", "caSecretName"),
];

/** The definition of a MailRelay with the fields that it goes on to know. */
export function withFormerFields(schema: StructuralSchema): StructuralSchema {
  return formerFields.reduce((whole, former) => withField(whole, former.path, former), schema);
}

function withField(
  schema: StructuralSchema,
  [step = "", ...rest]: readonly string[],
  former: Former,
): StructuralSchema {
  const field = rest.length === 0 ? fieldOf(former) : withField(schema.properties?.[step] ?? {}, rest, former);
  return { ...schema, properties: { ...schema.properties, [step]: field } };
}

const notTaken = "Not taken any more";

/** Whether a field of a definition is there for what is stored alone. */
export function isFormer({ description }: StructuralSchema): boolean {
  return typeof description === "string" && description.startsWith(notTaken);
}

function fieldOf({ path, schema, saysNothing }: Former): StructuralSchema {
  const today = todaysName(path.at(-1) ?? "");
  return {
    description: `${notTaken}: it is called ${today} now.`,
    ...schema,
    "x-kubernetes-validations": [{ rule: saysNothing, message: renamedHint(today) }],
  };
}

const record = z.record(z.string(), z.unknown());

/** The spec of a stored MailRelay without what the first edition's API server filled in where nobody had written. */
export function withoutFormerDefaults(spec: unknown): unknown {
  const { authentication, allowedNamespaces, ...rest } = record.safeParse(spec).data ?? {};
  if (authentication === undefined && allowedNamespaces === undefined) return spec;
  return {
    ...rest,
    ...(Object.values(record.safeParse(authentication).data ?? {}).every(isEmptyList) ? {} : { authentication }),
    ...((placeIn(allowedNamespaces, ["from"]) ?? "Same") === "Same" ? {} : { allowedNamespaces }),
  };
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

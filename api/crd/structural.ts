/**
 * JSON schema as zod writes it -> the structural schema an API server takes: types at every level, no references, no
 * unions but int-or-string, nothing closed (an API server prunes, and refuses unknown fields where strict validation is
 * asked for). What cannot be brought into that form throws with its path, so that it never reaches a cluster.
 */
import { z } from "zod";

/** Kept as they are, in this order, so that the text is the same each time. */
const plainKeywords = [
  "description",
  "type",
  "format",
  "enum",
  "default",
  "pattern",
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "maxProperties",
] as const;

const extensions = [
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-validations",
] as const;

/** Not said to an API server: zod's bookkeeping, and what only closes or names things. */
const dropped = [
  "$schema",
  "~standard",
  "additionalProperties",
  "anyOf",
  "propertyNames",
  "x-mailboat-decoded-default",
  "x-mailboat-wrong",
  "x-mailboat-lower-case",
];
const shaped = ["properties", "required", "items"];

export interface StructuralSchema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly items?: StructuralSchema;
  readonly additionalProperties?: StructuralSchema;
}

const node = z.record(z.string(), z.unknown());
type Node = z.infer<typeof node>;

export function toStructural(schema: unknown, path = ""): StructuralSchema {
  const written = decodedInItems(withinBudget(node.parse(schema), path), path);
  refuseUnknown(written, path);
  if (written["x-kubernetes-int-or-string"] === true) return intOrString(written);
  if (typeof written["type"] !== "string") throw new Error(`${path}: has no type, so it is not structural`);
  const below = children(written, path);
  return {
    ...pick(written, plainKeywords),
    ...completeDefault(written, below),
    ...below,
    ...pick(written, extensions),
    ...validations(written, (pattern) => `self.matches(${pattern})`),
  };
}

/** In lists of lists the rule of a pattern would cost more than an API server allows: there it stays a pattern, without words. */
function withinBudget(written: Node, path: string): Node {
  if (path.split("[]").length <= 2) return written;
  const { "x-mailboat-wrong": _wrong, ...rest } = written;
  return rest;
}

/**
 * A default of a field inside a list item is filled in where the object is read. On the server it would make every client-side
 * apply a change: a merge patch replaces a list whole, as it is written, and the server fills the defaults in again.
 */
function decodedInItems(written: Node, path: string): Node {
  const { default: fallback, ...rest } = written;
  if (fallback === undefined || !path.includes("[]")) return written;
  const { description } = rest;
  if (typeof description !== "string" || typeof fallback !== "string") return rest;
  return { ...rest, description: `${description} ${fallback} when absent.` };
}

/**
 * An object's default with those of its fields filled in: an API server runs the rules over a default as it is written,
 * and `{}` breaks every rule that reads a field.
 */
function completeDefault(written: Node, below: StructuralSchema): Node {
  const own = node.safeParse(written["default"]).data;
  if (own === undefined || below.properties === undefined || isNoise("default", written)) return {};
  const fields = Object.entries(below.properties).filter(([, field]) => field["default"] !== undefined);
  return { default: { ...Object.fromEntries(fields.map(([name, field]) => [name, field["default"]])), ...own } };
}

function refuseUnknown(written: Node, path: string): void {
  const known: readonly string[] = [...plainKeywords, ...extensions, ...dropped, ...shaped];
  const unknown = Object.keys(written).filter((keyword) => !known.includes(keyword));
  if (unknown.length > 0) throw new Error(`${path}: ${unknown.join(", ")} has no structural form`);
}

/** The one union that Kubernetes knows: its text form is the only one with a pattern. */
function intOrString(written: Node): StructuralSchema {
  return {
    ...pick(written, ["description", "default"]),
    anyOf: [{ type: "integer" }, { type: "string" }],
    ...pick(written, ["pattern", "maxLength"]),
    "x-kubernetes-int-or-string": true,
    ...validations(written, (pattern) => `type(self) == int || string(self).matches(${pattern})`),
  };
}

/** The rules of a field; first of them its pattern, where there are words for what does not fit it. */
function validations(written: Node, matches: (pattern: string) => string): Node {
  const { pattern, "x-mailboat-wrong": message, "x-kubernetes-validations": rules } = written;
  const list: readonly unknown[] = Array.isArray(rules) ? rules : [];
  const own = typeof pattern === "string" && message !== undefined;
  const all = own ? [{ rule: matches(JSON.stringify(pattern)), message, ...lowerCaseHint(written) }, ...list] : list;
  return all.length === 0 ? {} : { "x-kubernetes-validations": all };
}

/** What to write, where upper case is all that is wrong: said by the server as api/schema/pattern.ts says it. */
function lowerCaseHint({ pattern, "x-mailboat-wrong": message, "x-mailboat-lower-case": isLower }: Node): Node {
  if (isLower !== true) return {};
  const domain = "self.lastIndexOf('@') + 1";
  const isAddress = String(pattern).includes("@");
  const lower = isAddress
    ? `self.substring(0, ${domain}) + self.substring(${domain}).lowerAscii()`
    : "self.lowerAscii()";
  const fits = `(${lower}).matches(${JSON.stringify(pattern)})`;
  return { messageExpression: `${fits} ? 'must be in lower case: write ' + ${lower} : ${JSON.stringify(message)}` };
}

function children(written: Node, path: string): StructuralSchema {
  switch (written["type"]) {
    case "array":
      return { items: toStructural(written["items"], `${path}[]`) };
    case "object":
      return objectChildren(written, path);
    default:
      return {};
  }
}

function objectChildren(written: Node, path: string): StructuralSchema {
  const properties = Object.entries(node.parse(written["properties"] ?? {}));
  const rest = written["additionalProperties"];
  const isOpen = rest !== undefined && rest !== false && Object.keys(node.parse(rest)).length === 0;
  if (isOpen) return { "x-kubernetes-preserve-unknown-fields": true };
  if (rest !== undefined && rest !== false) return { additionalProperties: toStructural(rest, `${path}[*]`) };
  const fields = properties.map(([name, field]): [string, StructuralSchema] => [
    name,
    toStructural(field, path === "" ? name : `${path}.${name}`),
  ]);
  return {
    ...(fields.length > 0 ? { properties: Object.fromEntries(fields) } : {}),
    ...pick(written, ["required"]),
  };
}

function pick(written: Node, keywords: readonly string[]): Node {
  const kept = keywords
    .filter((keyword) => written[keyword] !== undefined && !isNoise(keyword, written))
    .map((keyword) => [keyword, written[keyword]] as const);
  return Object.fromEntries(kept);
}

/** zod bounds every whole number to what JavaScript can count, and a default that only local mode fills in stays here. */
function isNoise(keyword: string, written: Node): boolean {
  const value: unknown = written[keyword];
  if (keyword === "minimum" || keyword === "maximum") return Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER;
  if (keyword === "pattern") return written["x-mailboat-wrong"] !== undefined;
  if (keyword === "default") return written["x-mailboat-decoded-default"] === true;
  return keyword !== "default" && JSON.stringify(value) === "[]";
}

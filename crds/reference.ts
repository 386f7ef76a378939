/** The reference pages: example first, then each field as its schema describes it, then each condition with its reasons. Pure. */
import { customResourceDefinitions } from "../api/crd/definition.ts";
import type { ReasonText } from "../api/condition.ts";
import { isFormer } from "../api/former/fields.ts";
import {
  apiVersion,
  category,
  mailRelayKind,
  mailRelayShortName,
  senderDomainKind,
  senderDomainShortName,
} from "../api/group.ts";
import { mailRelayNotYet, senderDomainNotYet, type NotYet } from "../api/notyet.ts";
import { mailRelayConditionTexts } from "../api/status/mailrelay.ts";
import { senderDomainConditionTexts } from "../api/status/senderdomain.ts";
import type { StructuralSchema } from "../api/crd/structural.ts";

interface Page {
  readonly kind: string;
  readonly shortName: string;
  readonly example: string;
  readonly conditions: Readonly<Record<string, readonly ReasonText[]>>;
  readonly notYet: readonly NotYet[];
}

export function mailRelayPage(example: string): string {
  const conditions = mailRelayConditionTexts;
  return page({ kind: mailRelayKind, shortName: mailRelayShortName, example, conditions, notYet: mailRelayNotYet });
}

export function senderDomainPage(example: string): string {
  const conditions = senderDomainConditionTexts;
  return page({
    kind: senderDomainKind,
    shortName: senderDomainShortName,
    example,
    conditions,
    notYet: senderDomainNotYet,
  });
}

function page(content: Page): string {
  const schema = schemaOf(content.kind);
  const sections = [
    "<!-- Generated from the schemas in api/ by `make generate`; do not edit. -->",
    `# ${content.kind}`,
    text(schema.description),
    `API version \`${apiVersion}\`, short name \`${content.shortName}\`, category \`${category}\`. ` +
      "Durations are written with h, m, s and ms (`1h30m`), sizes as Kubernetes quantities (`10Gi`). " +
      "An unknown field is refused.",
    `\`\`\`yaml\n${content.example.trimEnd()}\n\`\`\``,
    "## Fields",
    fieldLines(schema.properties?.["spec"] ?? {}, "spec").join("\n"),
    "## Valid, but not acted on yet",
    "Setting one of these is reported in the condition Accepted with the reason NotActedOnYet.",
    content.notYet.map(({ path, until }) => `- \`${path}\`: ${until}`).join("\n"),
    "## Conditions",
    ...Object.entries(content.conditions).map(conditionSection),
    "## Status",
    fieldLines(schema.properties?.["status"] ?? {}, "status").join("\n"),
  ];
  return `${sections.join("\n\n")}\n`;
}

function schemaOf(kind: string): StructuralSchema {
  const singular = kind.toLowerCase();
  const definition = customResourceDefinitions().find(({ metadata }) => metadata.name.startsWith(singular));
  const version = definition?.spec.versions[0];
  if (version === undefined) throw new Error(`there is no definition of ${kind}`);
  return version.schema.openAPIV3Schema;
}

function conditionSection([type, reasons]: [string, readonly ReasonText[]]): string {
  const lines = reasons.map(({ reason, when }) => `- \`${reason}\`: ${lowerRest(when)}`);
  return [`### ${type}`, lines.join("\n")].join("\n\n");
}

/** `True: every ...` reads as `True when every ...` in a list of reasons. */
function lowerRest(when: string): string {
  return when.replace(/^(True|False|Unknown): /, "**$1**, ");
}

/** One line for each field, parents before children, in the order of the schema. */
function fieldLines(schema: StructuralSchema, path: string): string[] {
  const required = new Set(Array.isArray(schema["required"]) ? schema["required"] : []);
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    if (isFormer(field)) return [];
    const place = `${path}.${name}`;
    const traits = [typeText(field), ...boundTexts(field), required.has(name) ? "required" : defaultText(field)];
    const rules = ruleSentences(field).map((sentence) => ` ${sentence}`);
    const line = `- \`${place}\` (${traits.filter((trait) => trait !== "").join(", ")}): ${text(field.description)}${rules.join("")}`;
    return [line, ...childLines(field, place)];
  });
}

function childLines(field: StructuralSchema, place: string): string[] {
  if (field.items !== undefined) return fieldLines(field.items, `${place}[]`);
  return fieldLines(field, place);
}

function typeText(field: StructuralSchema): string {
  if (field["x-kubernetes-int-or-string"] === true) return "quantity";
  if (Array.isArray(field["enum"])) return field["enum"].map((value) => JSON.stringify(value)).join(" or ");
  if (field.items !== undefined) return `list of ${typeText(field.items)}`;
  if (field.additionalProperties !== undefined) return "map";
  return text(field["type"]);
}

function boundTexts(field: StructuralSchema): string[] {
  const { minimum, maximum, maxItems } = field;
  if (typeof minimum === "number" && typeof maximum === "number") return [`${minimum} to ${maximum}`];
  if (typeof minimum === "number") return [`at least ${minimum}`];
  return typeof maxItems === "number" ? [`at most ${maxItems}`] : [];
}

function defaultText(field: StructuralSchema): string {
  const value = field["default"];
  // That of an object is the sum of its fields' own.
  if (value === undefined || (typeof value === "object" && !Array.isArray(value))) return "";
  return `default \`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

/** What CEL asks beyond the type, of the field itself or of its entries. */
function ruleSentences(field: StructuralSchema, subject = "It"): string[] {
  const own = field["x-kubernetes-validations"];
  const sentences = Array.isArray(own)
    ? own.map((rule) => ruleSentence(rule, subject)).filter((sentence) => sentence !== "")
    : [];
  return field.items === undefined ? sentences : [...sentences, ...ruleSentences(field.items, "Each")];
}

function ruleSentence(rule: unknown, subject: string): string {
  if (typeof rule !== "object" || rule === null || !("message" in rule) || !("rule" in rule)) return "";
  // Rules about changes are told by the description, which kubectl explain shows too.
  if (text(rule.rule).includes("oldSelf")) return "";
  const blamed = "fieldPath" in rule ? `\`${text(rule.fieldPath).slice(1)}\`` : subject;
  return `${blamed} ${text(rule.message)}.`;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

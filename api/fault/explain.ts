/** zod's findings in the words of the person who wrote the manifest: which field, what is wrong, what to write instead. */
import { z } from "zod";
import { formerHint } from "../former/hint.ts";
import { nearestOf } from "./nearest.ts";
import { fieldPath, placeIn } from "./path.ts";

export interface Fault {
  /** In Kubernetes' spelling: `spec.listeners[1].port`. */
  readonly path: string;
  /** Continues the path as a sentence: `must be ...`. */
  readonly message: string;
}

type Issue = z.core.$ZodIssue;

/** The faults of one issue: one for each unknown field, otherwise one. */
export function explainIssue(issue: Issue, schema: z.ZodType, written: unknown): Fault[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ path: fieldPath(issue.path), message: explain(issue, schema, placeIn(written, issue.path)) }];
  }
  const known = Object.keys(schemaAt(schema, issue.path)?.shape ?? {});
  return issue.keys.map((key) => ({
    path: fieldPath([...issue.path, key]),
    message: formerHint(key, known) ?? `is no field: ${suggestion(key, known)}`,
  }));
}

/** A message that does not begin as zod's own do was written for the field. */
const zodsOwn = /^(Invalid|Too small|Too big)/;

function explain(issue: Issue, schema: z.ZodType, written: unknown): string {
  if (isRequired(issue, written)) return required(schema, issue.path);
  if (!zodsOwn.test(issue.message)) return issue.message;
  if (issue.code === "invalid_type") return `must be ${typeWord(issue.expected)}, not ${spell(written)}`;
  if (issue.code === "invalid_value") {
    return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.join(", ")}, not ${spell(written)}`;
  }
  if (issue.code === "too_small") return boundText(issue.origin, ["at least", Number(issue.minimum)], written);
  if (issue.code === "too_big") return boundText(issue.origin, ["at most", Number(issue.maximum)], written);
  return issue.message;
}

/** A union over an absent value reports itself, and a literal a wrong value: both mean that nothing was written. */
function isRequired(issue: Issue, written: unknown): boolean {
  return written === undefined && ["invalid_type", "invalid_value", "invalid_union"].includes(issue.code);
}

/** The first sentence of the field's description tells what to write. */
function required(schema: z.ZodType, path: readonly PropertyKey[]): string {
  const parent = schemaAt(schema, path.slice(0, -1));
  const field: unknown = parent?.shape[String(path.at(-1))];
  const description = field instanceof z.ZodType ? field.description : undefined;
  const sentence = description?.split(/\.\s|\.$/)[0];
  return sentence === undefined || sentence === "" ? "is required" : `is required: ${lowerFirst(sentence)}`;
}

/** The strict object at a path, seen through optional, default, list and transform. */
function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodObject | undefined {
  const end = path.reduce<unknown>((place, step) => {
    const bare = unwrap(place);
    if (bare instanceof z.ZodArray) return bare.element;
    if (bare instanceof z.ZodObject) return bare.shape[String(step)];
    return undefined;
  }, schema);
  const bare = unwrap(end);
  return bare instanceof z.ZodObject ? bare : undefined;
}

function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.in) : schema;
}

function suggestion(key: string, known: readonly string[]): string {
  const near = nearestOf(key, known);
  if (near !== undefined) return `did you mean ${near}?`;
  return known.length === 0 ? "remove it, nothing is set here" : `remove it, or use one of ${known.join(", ")}`;
}

function typeWord(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    string: "text (in quotes)",
    int: "a whole number",
    number: "a whole number",
    boolean: "true or false",
    array: "a list",
    object: "an object",
    record: "an object",
  };
  return words[expected] ?? expected;
}

function boundText(origin: string, [direction, bound]: readonly [string, number], written: unknown): string {
  if (origin === "string" && direction === "at least" && bound === 1) return "must not be empty";
  if (origin === "string") return `must have ${direction} ${bound} characters`;
  if (origin === "array") return `must have ${direction} ${bound} ${bound === 1 ? "entry" : "entries"}`;
  return `must be ${direction} ${bound}, not ${spell(written)}`;
}

function spell(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : JSON.stringify(value);
}

function lowerFirst(sentence: string): string {
  return /^[A-Z][a-z]/.test(sentence) && !/^(Kubernetes|CIDR)/.test(sentence)
    ? sentence.charAt(0).toLowerCase() + sentence.slice(1)
    : sentence;
}

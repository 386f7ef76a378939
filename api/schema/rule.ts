/**
 * A rule that a type alone cannot say, once, as data: ruled() makes of it the zod refinement that local mode and the
 * operator apply and the CEL rule that an API server applies, with the same message. The two are kept in step by the
 * examples, which are applied by both.
 */
import type { z } from "zod";

export interface Rule<T> {
  /** CEL over `self`; defaults are already applied when it runs, but for those inside list items (api/crd/structural.ts). */
  readonly cel: string;
  /** What is wrong and what to do; the path of the field goes before it. */
  readonly message: string;
  /** The field below the ruled one that is to blame; the ruled one itself when absent. */
  readonly at?: readonly string[];
  /** True when the value keeps the rule. */
  holds(value: T): boolean;
}

/** A rule about a change: only an API server knows what was there before, so it exists in CEL alone. */
export interface Transition {
  readonly cel: string;
  readonly message: string;
}

/** The schema with the rules attached to both of its faces. */
export function ruled<S extends z.ZodType>(
  schema: S,
  rules: readonly Rule<z.output<S>>[],
  transitions: readonly Transition[] = [],
): S {
  const validations = [...rules.map(celRule), ...transitions.map(({ cel, message }) => ({ rule: cel, message }))];
  return schema
    .superRefine((value, context) => {
      for (const rule of rules.filter((candidate) => !candidate.holds(value))) {
        context.addIssue({ code: "custom", message: rule.message, path: [...(rule.at ?? [])] });
      }
    })
    .meta({ "x-kubernetes-validations": validations });
}

function celRule(rule: Rule<never>): Record<string, string> {
  const validation = { rule: rule.cel, message: rule.message };
  // An API server resolves fieldPath in the schema, and the schema of metadata is its own.
  if (rule.at === undefined || rule.at[0] === "metadata") return validation;
  return { ...validation, fieldPath: `.${rule.at.join(".")}` };
}

/** A union is an object of which exactly one member is set. */
export function exactlyOneOf(...members: readonly string[]): Rule<object> {
  return {
    cel: `[${members.map((member) => `has(self.${member})`).join(", ")}].filter(set, set).size() == 1`,
    message: `must hold exactly one of ${members.join(", ")}`,
    holds: (value) => countSet(value, members) === 1,
  };
}

export function atLeastOneOf(...members: readonly string[]): Rule<object> {
  return {
    cel: members.map((member) => `has(self.${member})`).join(" || "),
    message: `must hold at least one of ${members.join(", ")}`,
    holds: (value) => countSet(value, members) > 0,
  };
}

function countSet(value: object, members: readonly string[]): number {
  return Object.entries(value).filter(([key, member]) => members.includes(key) && member !== undefined).length;
}

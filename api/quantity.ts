/**
 * Sizes and amounts as Kubernetes Quantities (`10Gi`, `500M`, `1e9`, `250m`). Decoded they are always text; parseQuantity
 * gives the number. Unlike the API server a size below zero is never accepted: no field here has a meaning for one.
 */
import { z } from "zod";
import { ruled, type Rule, type Transition } from "./schema/rule.ts";

const grammar = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$/;
const grammarText = grammar.source.replaceAll("?:", "");
const wrongText = "must be a Kubernetes quantity, for example 10Gi or 500M";

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The amount in base units (bytes for sizes, cores for CPU), or undefined when the text is not a quantity. */
export function parseQuantity(text: string): number | undefined {
  const match = grammar.exec(text);
  if (match === null) return undefined;
  const suffix = match[2] ?? "";
  if (suffix === "") return Number(match[1]);
  const factor = factors[suffix] ?? Number(`1${suffix}`);
  return Number(match[1]) * factor;
}

/** Any amount: what container resources hold. */
export function quantity() {
  return z
    .union([z.int().min(0), z.string().max(32)], { error: wrongText })
    .transform(String)
    .refine((text) => parseQuantity(text) !== undefined, { error: wrongText, abort: true })
    .meta({ "x-kubernetes-int-or-string": true, pattern: grammarText, maxLength: 32, "x-mailboat-wrong": wrongText });
}

/** A size in bytes between two quantities. Both faces of a quantity are judged by CEL: number and text. */
export function size(least: string, most: string, transitions: readonly Transition[] = []) {
  const leastBytes = parseQuantity(least) ?? 0;
  const mostBytes = parseQuantity(most) ?? Number.MAX_SAFE_INTEGER;
  const withinBounds: Rule<string> = {
    cel:
      `type(self) == int ? int(self) >= ${leastBytes} && int(self) <= ${mostBytes} : ` +
      `isQuantity(self) && quantity(self).compareTo(quantity('${least}')) >= 0 && ` +
      `quantity(self).compareTo(quantity('${most}')) <= 0`,
    message: `must be between ${least} and ${most}`,
    holds: (text) => {
      const bytes = parseQuantity(text);
      return bytes !== undefined && bytes >= leastBytes && bytes <= mostBytes;
    },
  };
  return ruled(quantity(), [withinBounds], transitions);
}

/** A volume can be made larger in place, never smaller. */
export const growsOnly: Transition = {
  cel:
    "(type(self) == int ? int(self) : quantity(self).asInteger()) >= " +
    "(type(oldSelf) == int ? int(oldSelf) : quantity(oldSelf).asInteger())",
  message: "may only grow: a volume cannot be made smaller",
};

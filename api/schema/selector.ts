/** Kubernetes label selectors. An empty one, which would select everything, is refused: it is nearly always a slip. */
import { z } from "zod";
import { listAtomic } from "./list.ts";
import { ruled, type Rule } from "./rule.ts";
import { textMap } from "./text.ts";

interface Comparison {
  operator: string;
  values?: readonly string[] | undefined;
}

const valuesGoWithOperator: Rule<Comparison> = {
  cel: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
  message: "must have entries for In and NotIn, and must be left out for Exists and DoesNotExist",
  at: ["values"],
  holds: ({ operator, values }) => ["In", "NotIn"].includes(operator) === (values ?? []).length > 0,
};

const matchExpression = z.strictObject({
  key: z.string().min(1).max(317).describe("Label key."),
  operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]).describe("How values are compared."),
  values: listAtomic(z.string().max(63), 64).optional().describe("Label values; none for Exists and DoesNotExist."),
});

const fields = {
  matchLabels: textMap(32, 63).optional().describe("Labels that must all be there with these values."),
  matchExpressions: listAtomic(ruled(matchExpression, [valuesGoWithOperator]), 32)
    .optional()
    .describe("Conditions that must all hold."),
};

const isNotEmpty: Rule<{ matchLabels?: object | undefined; matchExpressions?: readonly unknown[] | undefined }> = {
  cel:
    "(has(self.matchLabels) && self.matchLabels.size() > 0) || " +
    "(has(self.matchExpressions) && self.matchExpressions.size() > 0)",
  message: "must name at least one label: an empty selector would select everything",
  holds: (selector) =>
    Object.keys(selector.matchLabels ?? {}).length > 0 || (selector.matchExpressions ?? []).length > 0,
};

export function labelSelector() {
  return ruled(z.strictObject(fields), [isNotEmpty]);
}

/** Where Kubernetes itself gives the empty selector its meaning. */
export function anyLabelSelector() {
  return z.strictObject(fields);
}

/** Whose sender domains a relay serves, and what else those may. */
import { z } from "zod";
import { listMap, listSet } from "../schema/list.ts";
import { sendLimits } from "./sendlimits.ts";
import { ruled, type Rule } from "../schema/rule.ts";
import { labelSelector } from "../schema/selector.ts";
import { domainPattern, labelName } from "../schema/text.ts";

interface Admitted {
  from?: string | undefined;
  selector?: unknown;
  names?: readonly string[] | undefined;
}

/** A default of a field inside a list item is not filled in by an API server: the rules say what its absence means. */
const selectorGoesWithFrom: Rule<Admitted> = {
  cel: "(has(self.from) && self.from == 'Selector') == has(self.selector)",
  message: "must hold selector exactly when from is Selector",
  holds: ({ from, selector }) => (from === "Selector") === (selector !== undefined),
};

const namesGoWithFrom: Rule<Admitted> = {
  cel: "(has(self.from) && self.from == 'Names') == has(self.names)",
  message: "must hold names exactly when from is Names",
  holds: ({ from, names }) => (from === "Names") === (names !== undefined),
};

const namespaces = ruled(
  z.strictObject({
    from: z
      .enum(["Same", "All", "Selector", "Names"])
      .default("Same")
      .describe(
        "Same: the relay's own namespace. All: every namespace. Selector: those that selector matches. Names: those in names.",
      ),
    selector: labelSelector().optional().describe("Selects namespaces by label; only with `from: Selector`."),
    names: listSet(labelName(), 64)
      .min(1, { error: "must name at least one namespace" })
      .optional()
      .describe("Namespaces by name; only with `from: Names`."),
  }),
  [selectorGoesWithFrom, namesGoWithFrom],
);

/** What a SenderDomain can do beside sending. */
export const permissions = ["Smarthosts"] as const;

const tenant = z.strictObject({
  name: labelName().describe("Name of the entry, in messages."),
  namespaces: namespaces.describe("Whose SenderDomains are meant."),
  domains: listSet(domainPattern(), 256)
    .min(1, { error: "must name at least one domain, or be left out" })
    .optional()
    .describe("The domains they may bring, `*.example.com` for those below one; any when absent."),
  may: listSet(z.enum(permissions), permissions.length)
    .optional()
    .describe("What they may do beside sending. Smarthosts: name a way out of their own. Nothing when absent."),
  limits: sendLimits()
    .optional()
    .describe(
      "What all domains of a namespace that come by this entry may send together: each namespace has this much.",
    ),
});

const ownNamespace = { name: "own", namespaces: { from: "Same" as const } };

export const tenants = listMap(tenant, "name", 64)
  .default([ownNamespace])
  .describe(
    "Which namespaces' SenderDomains this relay serves, and what they may; its own namespace's when absent. A SenderDomain that no " +
      "entry admits gets the condition Accepted=False, NamespaceNotAllowed or DomainNotAllowed.",
  );

export type Tenant = z.infer<typeof tenant>;

/** Who can log in at a relay, and whose sender domains it serves. */
import { z } from "zod";
import { spelled } from "../words/pattern.ts";
import { listAtomic, listMap, listSet } from "../words/list.ts";
import { ruled, type Rule } from "../words/rule.ts";
import { labelSelector } from "../words/selector.ts";
import { domainPattern, labelName, objectName } from "../words/text.ts";

const oidcIssuer = z.strictObject({
  issuer: spelled(
    z.string().max(2048),
    /^https:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/,
    "must be an issuer URL that starts with https://",
  ).describe("Issuer URL exactly as in the token's `iss`; its keys are fetched from its discovery document."),
  audience: z.string().min(1).max(253).describe("The `aud` a token must carry."),
  usernameClaim: z.string().min(1).max(253).default("sub").describe("The claim that names the sender."),
});

/** Secrets of type kubernetes.io/basic-auth, selected in the object's own namespace. */
export const credentials = z.strictObject({
  secretSelector: labelSelector().describe("Selects kubernetes.io/basic-auth Secrets of this namespace by label."),
});

const authentication = z
  .strictObject({
    credentials: credentials
      .optional()
      .describe("User names and passwords. The relay gets SCRAM-SHA-256 verifiers only, never a password."),
    serviceAccounts: z
      .strictObject({
        audience: z
          .string()
          .min(1)
          .max(253)
          .default("mailboat")
          .describe("The audience a pod's projected token must have."),
      })
      .optional()
      .describe("A pod logs in with its projected ServiceAccount token as the password."),
    clientCertificates: z
      .strictObject({
        caSecretName: objectName().describe("Secret in this namespace whose `ca.crt` signs clients' certificates."),
      })
      .optional()
      .describe("A client logs in with a TLS certificate (AUTH EXTERNAL)."),
    oidc: listMap(oidcIssuer, "issuer", 8)
      .default([])
      .describe("A client logs in with a token of one of these issuers."),
  })
  .prefault({})
  .describe("How clients prove who they are, for the whole relay; sender domains may add credentials of their own.");

const selectorGoesWithFrom: Rule<{ from: string; selector?: unknown }> = {
  cel: "(self.from == 'Selector') == has(self.selector)",
  message: "must hold selector exactly when from is Selector",
  holds: ({ from, selector }) => (from === "Selector") === (selector !== undefined),
};

const allowedNamespaces = ruled(
  z.strictObject({
    from: z
      .enum(["Same", "All", "Selector"])
      .default("Same")
      .describe("Same: this namespace only. All: every namespace. Selector: those that selector matches."),
    selector: labelSelector().optional().describe("Selects namespaces by label; only with `from: Selector`."),
    domains: listSet(domainPattern(), 256)
      .optional()
      .describe("The domains they may bring, `*.example.com` for those below one; any when absent."),
  }),
  [selectorGoesWithFrom],
)
  .prefault({})
  .describe(
    "Which namespaces' SenderDomains this relay serves. Others get the condition Accepted=False, NamespaceNotAllowed.",
  );

export const access = { authentication, allowedNamespaces };

const serviceAccount = z.strictObject({
  namespace: labelName().describe("Namespace of the ServiceAccount."),
  name: objectName().describe("Name of the ServiceAccount."),
});

/** ServiceAccounts that may send. */
export const serviceAccounts = listAtomic(serviceAccount, 256).min(1, {
  error: "must name at least one ServiceAccount",
});

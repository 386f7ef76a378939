/** How clients prove who they are at a relay. */
import { z } from "zod";
import { listMap } from "../schema/list.ts";
import { spelled } from "../schema/pattern.ts";
import { authorityReference } from "../schema/reference.ts";
import { ruled, type Rule } from "../schema/rule.ts";
import { labelSelector } from "../schema/selector.ts";
import { labelName } from "../schema/text.ts";

const oidcIssuer = z.strictObject({
  name: labelName().describe("Name of the entry, by which sender domains name it."),
  issuer: spelled(
    z.string().max(2048),
    /^https:\/\/[^\s/?#@]+(\/[^\s?#]*)?$/,
    "must be an issuer URL that starts with https://",
  ).describe("Issuer URL exactly as in the token's `iss`; its keys are fetched from its discovery document."),
  audience: z
    .string()
    .min(1)
    .max(253)
    .describe("The `aud` a token must carry; relays of different owners need different ones."),
  usernameClaim: z.string().min(1).max(253).default("sub").describe("The claim that names the sender."),
  groupsClaim: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe("The claim that lists the sender's groups; without it no group is granted anything."),
  caRef: authorityReference()
    .optional()
    .describe("Who signs the issuer's certificate; the system's roots when absent."),
});

type Issuers = readonly { issuer: string; audience: string }[];

/** A token belongs to one entry, which says who its user is. */
const issuersDiffer: Rule<Issuers> = {
  cel: "self.all(a, self.exists_one(b, a.issuer == b.issuer && a.audience == b.audience))",
  message: "must differ in issuer or audience: a token belongs to one entry",
  holds: (entries) => new Set(entries.map((one) => `${one.issuer} ${one.audience}`)).size === entries.length,
};

/** Secrets of type kubernetes.io/basic-auth, selected in the object's own namespace. */
export const credentials = z.strictObject({
  secretSelector: labelSelector().describe("Selects kubernetes.io/basic-auth Secrets of this namespace by label."),
});

export const identities = z
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
          .describe(
            "The audience a pod's projected token must have. Relays of different owners need different ones: whoever owns a relay gets its " +
              "clients' tokens, and could show them at every relay of the same audience.",
          ),
      })
      .optional()
      .describe("A pod logs in with its projected ServiceAccount token as the password."),
    clientCertificates: z
      .strictObject({ caRef: authorityReference().describe("Who signs clients' certificates.") })
      .optional()
      .describe("A client shows a TLS certificate, on listeners with clientCertificates."),
    oidc: ruled(listMap(oidcIssuer, "name", 8), [issuersDiffer])
      .default([])
      .describe("A client logs in with a token of one of these issuers, whose keys the operator reads."),
  })
  .prefault({})
  .describe("How clients prove who they are, for the whole relay; sender domains may add credentials of their own.");

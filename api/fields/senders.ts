/** Who may use a sender domain. */
import { z } from "zod";
import { listAtomic, listSet } from "../schema/list.ts";
import { spelled } from "../schema/pattern.ts";
import { atLeastOneOf, exactlyOneOf, ruled } from "../schema/rule.ts";
import { domainName, labelName, objectName } from "../schema/text.ts";

const serviceAccount = z.strictObject({
  namespace: labelName().describe("Namespace of the ServiceAccount."),
  name: objectName().describe("Name of the ServiceAccount."),
});

/** ServiceAccounts that may send. */
export const serviceAccounts = listAtomic(serviceAccount, 256).min(1, {
  error: "must name at least one ServiceAccount",
});

/** SPIFFE ID section 2: the trust domain in lower case, and the path is the workload's. */
const certificateUri = spelled(
  z.string().max(256),
  /^(spiffe:\/\/[-a-z0-9._]+(\/[-a-zA-Z0-9._]+)+|(https|urn):[!-~]+)$/,
  "must be a SPIFFE ID with a path, such as spiffe://cluster.local/ns/shop/sa/erp, or a URI that starts with https: or urn:",
);

const certificate = ruled(
  z.strictObject({
    commonName: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe("The only common name of the certificate's subject, letter by letter."),
    dnsName: domainName()
      .optional()
      .describe("One of the DNS names in subjectAltName; one with a wildcard there is nobody's name."),
    uri: certificateUri
      .optional()
      .describe("One of the URIs in subjectAltName, letter by letter; a SPIFFE ID must be the only one."),
  }),
  [exactlyOneOf("commonName", "dnsName", "uri")],
);

/** Certificates whose holders may send. */
export const clientCertificates = listAtomic(certificate, 256).min(1, {
  error: "must name at least one certificate",
});

const oidcUsers = ruled(
  z.strictObject({
    issuer: labelName().describe("Name of the relay's entry in identities.oidc."),
    users: listSet(z.string().min(1).max(253), 256)
      .min(1, { error: "must name at least one user" })
      .optional()
      .describe("Who of them: values of the entry's usernameClaim, exactly as they are in the token."),
    groups: listSet(z.string().min(1).max(253), 256)
      .min(1, { error: "must name at least one group" })
      .optional()
      .describe("And everybody of these groups: values of the entry's groupsClaim."),
  }),
  [atLeastOneOf("users", "groups")],
);

/** Users of an OIDC issuer that may send. */
export const oidc = listAtomic(oidcUsers, 8).min(1, { error: "must name at least one issuer" });

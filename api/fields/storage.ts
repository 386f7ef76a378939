/** What a relay keeps: its spool, its certificate, and the limits past which it answers 4xx and keeps what it has. */
import { z } from "zod";
import { growsOnly, size } from "../quantity.ts";
import { exactlyOneOf, ruled, type Rule } from "../schema/rule.ts";
import { secretReference } from "../schema/reference.ts";
import { listSet } from "../schema/list.ts";
import { duration, parseDuration } from "../duration.ts";
import { domainPattern, hostName, objectName } from "../schema/text.ts";

export const spool = z
  .strictObject({
    storage: z
      .strictObject({
        size: size("16Mi", "64Ti", [growsOnly])
          .prefault("10Gi")
          .describe("Size of each pod's volume. May only grow, and only where the storage class allows it."),
        storageClassName: objectName()
          .optional()
          .describe("Storage class of the volumes; the cluster's default when absent. It must honour fsync."),
      })
      .prefault({})
      .describe("The volume of each pod."),
    highWatermarkPercent: z
      .int()
      .min(10)
      .max(99)
      .default(85)
      .describe("Past this share of the volume new mail is answered 452 and nothing already accepted is lost."),
  })
  .prefault({})
  .describe("Where accepted mail lies until it is delivered, one volume for each pod.");

const issuerRef = z.strictObject({
  name: objectName().describe("Name of the issuer."),
  kind: z
    .string()
    .min(1)
    .max(63)
    .default("Issuer")
    .describe("Issuer (this namespace) or ClusterIssuer, or an external issuer's kind."),
  group: z.string().min(1).max(253).default("cert-manager.io").describe("API group of the issuer."),
});

interface Renewal {
  duration?: string | undefined;
  renewBefore?: string | undefined;
}

/** cert-manager's own rule and default. */
const renewsWhileValid: Rule<Renewal> = {
  cel:
    "!has(self.renewBefore) || " +
    "duration(self.renewBefore) < duration(has(self.duration) ? self.duration : '2160h')",
  message: "must be shorter than duration (2160h when absent)",
  at: ["renewBefore"],
  holds: ({ duration: life = "2160h", renewBefore }) =>
    renewBefore === undefined || (parseDuration(renewBefore) ?? 0) < (parseDuration(life) ?? 0),
};

/**
 * An API server stores no default here: with one, a manifest that later adds secretRef would be merged with the stored
 * selfSigned, and two members of the union would be set.
 */
export const tls = ruled(
  z.strictObject({
    secretRef: secretReference("Name of the Secret.")
      .optional()
      .describe("kubernetes.io/tls Secret of this namespace. A renewed certificate is used without a restart."),
    certManager: ruled(
      z.strictObject({
        issuerRef: issuerRef.describe("The issuer that signs the certificate."),
        dnsNames: listSet(domainPattern(), 64)
          .optional()
          .describe("Names beside hostname; the issuer has to sign every one of them."),
        duration: duration("1h", "87600h")
          .optional()
          .describe("How long it is valid; cert-manager's 2160h when absent."),
        renewBefore: duration("5m", "87600h")
          .optional()
          .describe("How long before its end it is renewed; a third of its life when absent."),
        algorithm: z
          .enum(["ECDSA", "RSA"])
          .optional()
          .describe("Kind of key: ECDSA P-256 or RSA 2048; cert-manager's RSA when absent."),
      }),
      [renewsWhileValid],
    )
      .optional()
      .describe(
        "A certificate for hostname, requested from cert-manager. Clients have to use that name: public authorities sign no Service names.",
      ),
    selfSigned: z
      .strictObject({
        dnsNames: listSet(hostName(), 64)
          .optional()
          .describe("Names beside hostname and those of the Service, as clients know the relay by."),
        algorithms: listSet(z.enum(["ECDSA", "RSA"]), 2)
          .min(1, { error: "must name at least one" })
          .optional()
          .describe("Kinds of keys that clients are offered; both when absent, because old printers know RSA only."),
      })
      .optional()
      .describe(
        "A certificate of the operator's own authority, rotated by it; clients need its `ca.crt`. This is the default.",
      ),
  }),
  [exactlyOneOf("secretRef", "certManager", "selfSigned")],
)
  .prefault({ selfSigned: {} })
  .meta({ "x-mailboat-decoded-default": true })
  .describe("The listeners' certificate: exactly one source. selfSigned when absent.");

export const limits = z
  .strictObject({
    // RFC 5321 section 4.5.3.1.7: a server must take 64K octets at least.
    messageSize: size("64Ki", "2Gi")
      .prefault("50Mi")
      .describe("Largest message, offered as SIZE; a larger one is refused 552 5.3.4."),
    recipients: z
      .int()
      .min(100)
      .max(50_000)
      .default(1000)
      .describe("Most recipients in one message; more are answered 452 4.5.3. RFC 5321 asks for 100 at least."),
    connections: z
      .int()
      .min(1)
      .max(100_000)
      .default(1000)
      .describe("Most connections to one pod; more are answered 421."),
    connectionsPerClient: z
      .int()
      .min(1)
      .max(100_000)
      .default(50)
      .describe("Most connections from one address to one pod; more are answered 421."),
  })
  .prefault({})
  .describe("What one pod takes at most. Past a limit it answers 4xx or refuses, and keeps what it has.");

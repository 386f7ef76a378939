/**
 * SenderDomain: one domain that may send through a relay, with its keys and who may use it. This schema is the one source
 * of the type, the defaults, the CustomResourceDefinition, the reference page and local mode's validation.
 */
import { z } from "zod";
import { spelled } from "./schema/pattern.ts";
import { apiVersion, senderDomainKind } from "./group.ts";
import { duration } from "./duration.ts";
import { credentials } from "./fields/identities.ts";
import { sendLimits } from "./fields/sendlimits.ts";
import { clientCertificates, oidc, serviceAccounts } from "./fields/senders.ts";
import { secretKeyReference } from "./schema/reference.ts";
import { listMap, listSet } from "./schema/list.ts";
import { metadata } from "./schema/metadata.ts";
import { atLeastOneOf, exactlyOneOf, ruled, type Rule, type Transition } from "./schema/rule.ts";
import { smarthosts } from "./fields/smarthost.ts";
import { dkimSelector, domainName, emailAddress, labelName, objectName, recordName } from "./schema/text.ts";
import { senderDomainStatus } from "./status/senderdomain.ts";

export {
  senderDomainConditions,
  senderDomainReasons,
  senderDomainStatus,
  type SenderDomainConditionType,
  type SenderDomainReason,
  type SenderDomainStatus,
} from "./status/senderdomain.ts";

const domainIsImmutable: Transition = {
  cel: "self == oldSelf",
  message: "cannot change: make a SenderDomain for the other domain and delete this one",
};

const key = z.strictObject({
  selector: dkimSelector().describe("Selector: the public key is published at `<selector>._domainkey.<domain>`."),
  secretRef: secretKeyReference("Name of the Secret.", "privateKey").describe(
    "Secret of this namespace with the key as PEM: RSA of 1024 bits or more, or Ed25519.",
  ),
});

const managed = z.strictObject({
  algorithms: listSet(z.enum(["RSA2048", "Ed25519"]), 2)
    .min(1, { error: "must name at least one algorithm" })
    .default(["RSA2048", "Ed25519"])
    .describe("One key is made and kept for each; a message carries a signature of each."),
  rotateAfter: duration("24h", "99999h")
    .optional()
    .describe(
      "Age at which a new key is made and the old one retired once the new one is published; never when absent.",
    ),
});

const dkim = ruled(
  z.strictObject({
    keys: listMap(key, "selector", 8)
      .min(1, { error: "must have at least one entry, or be left out" })
      .optional()
      .describe("Your own keys. Every one of them signs."),
    managed: managed
      .optional()
      .describe("Keys that the operator makes, as Secrets beside this object; status holds the DNS records."),
  }),
  [atLeastOneOf("keys", "managed")],
).describe(
  "How mail is signed. A message of a domain with dkim is never sent without a valid signature; without dkim mail goes unsigned.",
);

/** Unlike the others it has a value, and `false` would read as a grant that grants nothing. */
const trustedNetworksIsTrue = z.literal(true, { error: "must be true, or be left out" });

const sender = ruled(
  z.strictObject({
    name: labelName().describe("Name of the entry, in messages."),
    credentials: credentials.optional().describe("Whoever logs in with one of these Secrets."),
    serviceAccounts: serviceAccounts
      .optional()
      .describe("Pods that log in with the token of one of these ServiceAccounts; of the relay's own cluster."),
    clientCertificates: clientCertificates
      .optional()
      .describe("Clients that show one of these certificates, which an authority of the relay has signed."),
    oidc: oidc.optional().describe("People and programs that log in with a token of one of these issuers."),
    trustedNetworks: trustedNetworksIsTrue
      .optional()
      .describe("Clients without login from the trustedNetworks of the listener they use. Only true has a meaning."),
    limits: sendLimits()
      .optional()
      .describe(
        "What each identity that the entry names may send as the domain: each user name, with however many Secrets, each ServiceAccount, " +
          "each person of an issuer, each certificate, and of trustedNetworks each client address. A client that several entries name goes by the first of them.",
      ),
  }),
  [exactlyOneOf("credentials", "serviceAccounts", "clientCertificates", "oidc", "trustedNetworks")],
);

const localPartPattern = spelled(
  z.string().min(1).max(64),
  /^[^\s<>@"(),:;\\]+$/,
  "must be a local part such as billing or no-reply-*, without the domain",
);

const dmarc = z.strictObject({
  policy: z
    .enum(["none", "quarantine", "reject"])
    .default("none")
    .describe("What receivers are asked to do (the `p` tag)."),
  reportsTo: listSet(emailAddress(), 8).default([]).describe("Who gets the aggregate reports (the `rua` tag)."),
});

const dns = z.strictObject({
  spf: z
    .strictObject({
      include: listSet(recordName(), 10)
        .default([])
        .describe("Domains whose senders are allowed too (RFC 7208 allows ten lookups)."),
    })
    .optional()
    .describe("The SPF record that is wanted."),
  dmarc: dmarc.optional().describe("The DMARC record that is wanted."),
  publish: z
    .enum(["None", "DNSEndpoint"])
    .default("None")
    .describe("None: status lists the records for you to publish. DNSEndpoint: an object for ExternalDNS is written."),
});

const relayRef = z.strictObject({
  name: objectName().describe("Name of the MailRelay."),
  namespace: labelName()
    .optional()
    .describe("Namespace of the MailRelay, this object's own when absent. One of its tenants must admit this one."),
});

const spec = z.strictObject({
  domain: ruled(domainName(), [], [domainIsImmutable]).describe(
    "The domain of the From header, in A-labels; exactly this one, a subdomain has a SenderDomain of its own. Cannot change.",
  ),
  relayRef: relayRef.describe("The relay that sends for it."),
  dkim: dkim.optional(),
  senders: listMap(sender, "name", 32)
    .min(1, { error: "must have at least one entry: nobody could use the domain" })
    .describe("Who may use the domain: a client that any entry names."),
  localParts: listSet(localPartPattern, 256)
    .min(1, { error: 'must have at least one entry: ["*"] allows all' })
    .default(["*"])
    .describe("Local parts that may be used; `*` stands for any run of characters."),
  smarthosts: smarthosts().describe(
    "This domain's own way out, tried in order; the relay's when empty. The relay's entry in tenants must say `may: [Smarthosts]`.",
  ),
  limits: sendLimits().optional().describe("What the domain may send, over all pods of the relay."),
  bounces: z
    .strictObject({ to: emailAddress().describe("Address that gets them.") })
    .optional()
    .describe("Where bounces go instead of to the envelope sender."),
  dns: dns.optional().describe("The DNS records beside DKIM's that should be published; status lists them."),
});

const object = z.strictObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(senderDomainKind),
  metadata,
  spec: spec.describe("What may be sent, and by whom."),
  status: senderDomainStatus.optional(),
});

const nameIsALabelValue: Rule<{ metadata: { name: string } }> = {
  cel: "self.metadata.name.size() <= 63",
  message: "must be at most 63 characters: objects made for it carry it as a label",
  at: ["metadata", "name"],
  holds: (domain) => domain.metadata.name.length <= 63,
};

export const senderDomain = ruled(object, [nameIsALabelValue]).describe(
  "A domain that may send through a MailRelay: its DKIM keys, and who may use it.",
);

export type SenderDomain = z.infer<typeof senderDomain>;

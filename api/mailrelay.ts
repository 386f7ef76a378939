/**
 * MailRelay: one fleet of relay pods with its way in, its spool and its way out. This schema is the one source of the
 * type, the defaults, the CustomResourceDefinition, the reference page and local mode's validation. A manifest that
 * breaks it is refused with the path and what to do; mail already working keeps working.
 */
import { z } from "zod";
import { apiVersion, mailRelayKind } from "./group.ts";
import { identities } from "./fields/identities.ts";
import { tenants } from "./fields/tenants.ts";
import { autoscaling, scalingRules } from "./fields/autoscaling.ts";
import { drain } from "./fields/drain.ts";
import { delivery } from "./fields/delivery.ts";
import { certificatesNeedAuthority, listeners } from "./fields/listener.ts";
import { metadata } from "./schema/metadata.ts";
import { events, monitoring, tracing } from "./fields/observation.ts";
import { labelsNeedPolicy, networkPolicy } from "./fields/networkpolicy.ts";
import { pod } from "./fields/pod.ts";
import { ruled, type Rule } from "./schema/rule.ts";
import { hostName, labelName } from "./schema/text.ts";
import { clientService } from "./fields/clientservice.ts";
import { limits, spool, tls } from "./fields/storage.ts";
import { mailRelayStatus } from "./status/mailrelay.ts";

export {
  mailRelayConditions,
  mailRelayReasons,
  mailRelayStatus,
  type MailRelayConditionType,
  type MailRelayReason,
  type MailRelayStatus,
} from "./status/mailrelay.ts";

/** Names of Services, StatefulSets and their pods are made from it; the longest of them allow 63 characters. */
const nameFitsChildren: Rule<{ metadata: { name: string } }> = {
  cel: "self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
  message: "must be at most 40 lower-case letters, digits and '-', starting with a letter: Services are named after it",
  at: ["metadata", "name"],
  holds: (relay) => relay.metadata.name.length <= 40 && /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(relay.metadata.name),
};

/** What one who names none has, and an operator that is told none serves. */
export const usualClassName = "mailboat";

const spec = z.strictObject({
  className: labelName()
    .default(usualClassName)
    .describe(
      "Which operator serves it: the one whose chart value className is the same. Every other leaves the relay, and the " +
        "domains that refer to it, entirely alone.",
    ),
  replicas: z
    .int()
    .min(0)
    .max(100)
    .default(1)
    .describe("Number of pods. 0 is hibernation: pods go, volumes and their mail stay, nothing is handed over."),
  autoscaling: autoscaling.optional(),
  hostname: hostName().describe(
    "The name in EHLO and Received, in A-labels; a next hop expects it to resolve to the relay.",
  ),
  listeners,
  tls,
  identities,
  tenants,
  spool,
  delivery,
  limits,
  tracing: tracing.optional(),
  monitoring: monitoring.optional(),
  events: events.optional(),
  drain,
  pod,
  service: clientService,
  networkPolicy,
  paused: z
    .boolean()
    .default(false)
    .describe("Leave everything as it is: the operator writes status only, until this is false again."),
});

export const mailRelaySpec = ruled(spec, [...scalingRules, labelsNeedPolicy, certificatesNeedAuthority]).describe(
  "What the relay should be.",
);

const object = z.strictObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(mailRelayKind),
  metadata,
  spec: mailRelaySpec,
  status: mailRelayStatus.optional(),
});

export const mailRelay = ruled(object, [nameFitsChildren]).describe(
  "A fleet of mail relay pods: takes mail by SMTP, keeps it safe, signs it and delivers it.",
);

export type MailRelay = z.infer<typeof mailRelay>;
export type MailRelaySpec = MailRelay["spec"];
export type Listener = MailRelaySpec["listeners"][number];

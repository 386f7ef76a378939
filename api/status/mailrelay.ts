/**
 * What the operator says about a MailRelay. Nothing here is a promise until it was judged: conditions are Unknown before,
 * and observedGeneration tells which spec was judged. Values that would change all the time are rounded or left out.
 */
import { z } from "zod";
import { conditions, observedGeneration, type ReasonText } from "../condition.ts";
import { listAtomic, listMap } from "../schema/list.ts";

/** True means good, but for Draining, Reconciling and Stalled, where False does. */
export const mailRelayConditions = {
  Accepted: "Accepted",
  ResolvedRefs: "ResolvedRefs",
  CertificateReady: "CertificateReady",
  Programmed: "Programmed",
  Available: "Available",
  Draining: "Draining",
  Ready: "Ready",
  Reconciling: "Reconciling",
  Stalled: "Stalled",
} as const;

export const mailRelayReasons = {
  Accepted: "Accepted",
  Invalid: "Invalid",
  NotActedOnYet: "NotActedOnYet",
  AnyDomainAllowed: "AnyDomainAllowed",
  MailCaptured: "MailCaptured",
  NamespacesForbidden: "NamespacesForbidden",
  NamespaceNotSeen: "NamespaceNotSeen",
  DomainsNotSeen: "DomainsNotSeen",
  StorageNotChanged: "StorageNotChanged",
  NotMonitored: "NotMonitored",
  RolloutPending: "RolloutPending",
  Paused: "Paused",
  ResolvedRefs: "ResolvedRefs",
  SecretNotFound: "SecretNotFound",
  SecretInvalid: "SecretInvalid",
  SecretsForbidden: "SecretsForbidden",
  ConfigMapNotFound: "ConfigMapNotFound",
  ConfigMapInvalid: "ConfigMapInvalid",
  ConfigMapsForbidden: "ConfigMapsForbidden",
  IssuerUnreadable: "IssuerUnreadable",
  Issued: "Issued",
  Valid: "Valid",
  Expiring: "Expiring",
  Expired: "Expired",
  NameMismatch: "NameMismatch",
  Pending: "Pending",
  CertManagerNotInstalled: "CertManagerNotInstalled",
  CertificatesForbidden: "CertificatesForbidden",
  Programmed: "Programmed",
  WaitingForPods: "WaitingForPods",
  ConfigurationRefused: "ConfigurationRefused",
  NoReadyPods: "NoReadyPods",
  Hibernating: "Hibernating",
  PodsAvailable: "PodsAvailable",
  PodsUnavailable: "PodsUnavailable",
  ScalingIn: "ScalingIn",
  HandingOver: "HandingOver",
  SpoolNotEmpty: "SpoolNotEmpty",
  Deleting: "Deleting",
  SpoolRetained: "SpoolRetained",
  NotDraining: "NotDraining",
  Ready: "Ready",
  Progressing: "Progressing",
  Settled: "Settled",
  ReconcileFailing: "ReconcileFailing",
} as const;

export type MailRelayConditionType = keyof typeof mailRelayConditions;
export type MailRelayReason = keyof typeof mailRelayReasons;

type Meaning = readonly [
  ReasonText & { readonly reason: MailRelayReason },
  ...(ReasonText & { readonly reason: MailRelayReason })[],
];

/** Every condition with its reasons and the situation that raises each; the reference page prints it. */
export const mailRelayConditionTexts: Readonly<Record<MailRelayConditionType, Meaning>> = {
  Accepted: [
    { reason: "Accepted", when: "True: the spec is valid and every field that is set is acted on." },
    {
      reason: "NotActedOnYet",
      when: "True: the spec is valid; the message names fields this version does not act on yet. With another reason they are named as well.",
    },
    {
      reason: "AnyDomainAllowed",
      when: "True: with a warning, because an entry of tenants admits every namespace with any domain, so that one could take another's.",
    },
    {
      reason: "MailCaptured",
      when: "True: with a warning, because spec.delivery.mode keeps mail from leaving: all of it, or what allowRecipients does not name. Ready says so as well.",
    },
    {
      reason: "NamespacesForbidden",
      when: "True: with a warning, because a selector of tenants goes by labels that the operator may not see; the message is the command that allows it.",
    },
    {
      reason: "DomainsNotSeen",
      when: "True: with a warning, because SenderDomains of namespaces that the operator does not watch, or may not read, cannot be seen: what the pods have of their domains stays as it is.",
    },
    {
      reason: "NamespaceNotSeen",
      when: "False: the operator may not read all it needs in this namespace, and what runs there stays as it is; the message names what is missing.",
    },
    {
      reason: "StorageNotChanged",
      when: "True: mail flows, but the volumes that exist cannot become what spec.spool.storage asks for.",
    },
    {
      reason: "NotMonitored",
      when: "True: with a warning, because Kubernetes refuses the PodMonitor, for a right that is missing or a rule of the cluster; mail flows.",
    },
    {
      reason: "IssuerUnreadable",
      when: "True: with a warning, because the keys of an issuer of tokens cannot be read now; those that were read before stay in force.",
    },
    {
      reason: "RolloutPending",
      when: "True: mail flows; the operator has another pod template for the relay, and waits until fewer relays replace their pods.",
    },
    {
      reason: "Invalid",
      when: "False: Kubernetes refuses an object that the spec asks for, and the message names the field, the object and why: it stays as it was, everything else is in force. Or this version cannot read the stored spec: then the last valid one stays in force.",
    },
    { reason: "Paused", when: "True: spec.paused is true and nothing but status is written." },
  ],
  ResolvedRefs: [
    { reason: "ResolvedRefs", when: "True: every Secret and ConfigMap that the spec names is there and readable." },
    {
      reason: "Expiring",
      when: "True: with a warning, because the time of a login, mailboat.dev/expires-at on its Secret, ends within a week.",
    },
    {
      reason: "Expired",
      when: "True: with a warning, because the time of a login is over: its Secret lets nobody in any more.",
    },
    { reason: "SecretNotFound", when: "False: a Secret that the spec names does not exist." },
    { reason: "SecretInvalid", when: "False: a Secret lacks a key, or what the key holds cannot be used." },
    {
      reason: "SecretsForbidden",
      when: "False: the operator may not read Secrets there; the message is the command that allows it.",
    },
    { reason: "ConfigMapNotFound", when: "False: a ConfigMap that the spec names does not exist." },
    { reason: "ConfigMapInvalid", when: "False: a ConfigMap lacks a key, or what the key holds cannot be used." },
    {
      reason: "ConfigMapsForbidden",
      when: "False: the operator may not read ConfigMaps there; the message is the command that allows it.",
    },
    {
      reason: "IssuerUnreadable",
      when: "False: no key of an issuer of tokens could ever be read, so that nobody logs in with its tokens; the message names it and says why.",
    },
  ],
  CertificateReady: [
    { reason: "Valid", when: "True: the Secret's certificate is valid and carries hostname." },
    { reason: "Issued", when: "True: the operator's own authority issued the certificate." },
    { reason: "Expiring", when: "True: less than a tenth of its life, or seven days, are left and nobody renewed it." },
    { reason: "Expired", when: "False: the certificate is not valid at this time." },
    { reason: "NameMismatch", when: "False: the certificate does not carry spec.hostname." },
    { reason: "SecretNotFound", when: "False: the Secret with the certificate does not exist." },
    { reason: "SecretInvalid", when: "False: the Secret holds no certificate with its private key." },
    {
      reason: "SecretsForbidden",
      when: "False: the operator may not read the Secret; the message is the command that allows it.",
    },
    { reason: "Pending", when: "False: the certificate has been asked for and has not arrived." },
    { reason: "CertManagerNotInstalled", when: "False: tls.certManager is set and the cluster has no cert-manager." },
    {
      reason: "CertificatesForbidden",
      when: "False: tls.certManager is set and the operator may not list cert-manager's Certificates in the namespace.",
    },
  ],
  Programmed: [
    { reason: "Programmed", when: "True: every ready pod reports the revision that was rendered." },
    { reason: "WaitingForPods", when: "False: a ready pod still runs an older revision." },
    { reason: "ConfigurationRefused", when: "False: a pod reports why it keeps its last good configuration." },
    { reason: "NoReadyPods", when: "False: no pod is ready to run anything." },
    { reason: "Hibernating", when: "False: replicas is 0." },
  ],
  Available: [
    { reason: "PodsAvailable", when: "True: at least one pod takes mail." },
    { reason: "PodsUnavailable", when: "False: no pod takes mail; the message tells why as far as it is known." },
    { reason: "Hibernating", when: "False: replicas is 0." },
  ],
  Draining: [
    { reason: "NotDraining", when: "False: no pod is leaving." },
    { reason: "ScalingIn", when: "True: pods whose spools are empty are going." },
    {
      reason: "HandingOver",
      when: "True: pods that will go hand their mail to those that stay; the message says what is left in each.",
    },
    {
      reason: "SpoolNotEmpty",
      when: "True: a pod that will go holds mail and cannot hand it over; the message says why and what to do.",
    },
    { reason: "Deleting", when: "True: the MailRelay is being deleted and its spools are emptied." },
    {
      reason: "SpoolRetained",
      when: "True: mail could not be handed over; the message names the volume that keeps it.",
    },
  ],
  Ready: [
    {
      reason: "Ready",
      when: "True: Accepted, ResolvedRefs, CertificateReady, Programmed and Available are all True. The message says whether what is taken is sent.",
    },
    { reason: "Hibernating", when: "True: replicas is 0 and no pod is left, as was asked; no mail is taken." },
    {
      reason: "Progressing",
      when: "False: it is on its way; the message is that of the first condition that is not True.",
    },
    { reason: "Invalid", when: "False: a person has to act; the message names the field or object." },
    { reason: "Pending", when: "Unknown: the operator has not looked at the resource yet." },
    {
      reason: "ReconcileFailing",
      when: "Unknown: the operator's last five looks or more ended in an error, which the message tells; what runs goes on as it was.",
    },
  ],
  Reconciling: [
    { reason: "Progressing", when: "True: the operator is at work on this generation." },
    { reason: "ReconcileFailing", when: "True: the operator's looks end in an error, and it tries again." },
    { reason: "Settled", when: "False: there is nothing left to do." },
  ],
  Stalled: [
    { reason: "Invalid", when: "True: nothing will change until a person acts; the message tells what." },
    { reason: "Settled", when: "False: nothing stands in the way." },
  ],
};

const pod = z.strictObject({
  name: z.string().max(253).describe("Name of the pod."),
  ready: z.boolean().describe("Whether it takes mail."),
  revision: z.string().max(64).optional().describe("Revision of the configuration it has loaded."),
  certificateFingerprint: z
    .string()
    .max(129)
    .optional()
    .describe(
      "SHA-256 of the certificate it shows, hexadecimal; of our own, those of the ECDSA and the RSA one with a plus sign between them.",
    ),
});

const retainedSpool = z.strictObject({
  claimName: z.string().max(253).describe("PersistentVolumeClaim that holds the spool."),
  queued: z
    .int()
    .min(0)
    .optional()
    .describe("Recipients that waited in it when its pod left; absent when nobody could say."),
});

const login = z.strictObject({
  secret: z.string().max(317).describe("Namespace and name of the Secret, with a slash between them."),
  lastUsedDate: z
    .string()
    .max(10)
    .meta({ format: "date" })
    .optional()
    .describe("The day, by UTC, on which a client last came in by its password; absent while nothing is known of one."),
});

export const mailRelayStatus = z
  .strictObject({
    observedGeneration: observedGeneration.optional(),
    conditions: conditions.optional().describe("Judgements; each names what to do when it is not good."),
    replicas: z.int().min(0).optional().describe("Pods there are."),
    readyReplicas: z.int().min(0).optional().describe("Pods that take mail."),
    desiredReplicas: z.int().min(0).optional().describe("Pods there should be, after autoscaling."),
    selector: z
      .string()
      .max(1024)
      .optional()
      .describe("Label selector of the pods as text, for the scale subresource."),
    addresses: z
      .array(z.string().max(253))
      .max(32)
      .meta({ "x-kubernetes-list-type": "atomic" })
      .optional()
      .describe(
        "Where clients reach the Service: addresses or names of its load balancer, else those inside the cluster.",
      ),
    version: z
      .string()
      .max(64)
      .optional()
      .describe(
        "Release of Mailboat that the ready pods run; the oldest of them while they differ, and absent of one that does not tell.",
      ),
    documentVersion: z
      .int()
      .min(1)
      .optional()
      .describe("Version of the documents that the pods are given: the newest that all of them read."),
    attachedDomains: z
      .int()
      .min(0)
      .optional()
      .describe("SenderDomains that the relay has taken, with those that cannot be seen now and that its pods keep."),
    queued: z
      .int()
      .min(0)
      .optional()
      .describe(
        "Recipients that wait in all spools, rounded to two digits; told every twenty seconds, and at once when they double. While a pod does not tell it is at least what is known and was told before, and absent where that is nothing: it is 0 only when nothing waits.",
      ),
    late: z
      .int()
      .min(0)
      .optional()
      .describe(
        "Messages that still wait five minutes and more after they were accepted, for whatever reason; rounded, and while a pod does not tell as queued is.",
      ),
    overHour: z
      .int()
      .min(0)
      .optional()
      .describe("Those of them that wait an hour and more; absent also while a pod of an older release does not tell."),
    overDay: z.int().min(0).optional().describe("Those of them that wait a day and more; as overHour."),
    captured: z
      .int()
      .min(0)
      .optional()
      .describe(
        "Messages that spec.delivery.mode kept from leaving and that can be read in the spools: nobody sends them, and the oldest are dropped. Rounded; absent when there are none.",
      ),
    oldestTime: z
      .string()
      .max(64)
      .meta({ format: "date-time" })
      .optional()
      .describe(
        "When the oldest message that still waits was accepted, for whatever reason it waits; absent when none has waited for a minute. While a pod does not tell it is not later than what was told before.",
      ),
    oldestDueTime: z
      .string()
      .max(64)
      .meta({ format: "date-time" })
      .optional()
      .describe(
        "When the longest overdue recipient became due; absent when nothing is due. While a pod does not tell it is not later than what was told before.",
      ),
    limited: listAtomic(z.string().max(300), 100)
      .optional()
      .describe(
        "Domains, namespaces of tenants (`namespace shop`) and entries of senders (`sender apps of example.com`) of which mail was refused 450 in the last ten minutes because they, or an identity of the entry, had sent what they may in an hour; a hundred of them at most.",
      ),
    revision: z.string().max(64).optional().describe("Revision of the configuration that was rendered last."),
    logins: listMap(login, "secret", 100)
      .optional()
      .describe(
        "When each Secret of a login was last used, at this relay and for its domains: those that are not used any more may go. The first hundred by name.",
      ),
    pods: listMap(pod, "name", 100).optional().describe("What each pod runs."),
    retainedSpools: listMap(retainedSpool, "claimName", 100)
      .optional()
      .describe("Volumes of pods that are gone whose mail could not be handed over."),
  })
  .describe("What the relay is, as far as the operator has seen.");

export type MailRelayStatus = z.infer<typeof mailRelayStatus>;

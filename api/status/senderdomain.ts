/** What the operator says about a SenderDomain, with the DNS records it wants to see. */
import { z } from "zod";
import { conditions, observedGeneration, type ReasonText } from "../condition.ts";
import { listAtomic, listMap, listSet } from "../schema/list.ts";

export const senderDomainConditions = {
  Accepted: "Accepted",
  KeysReady: "KeysReady",
  Programmed: "Programmed",
  DNSVerified: "DNSVerified",
  Ready: "Ready",
  Reconciling: "Reconciling",
  Stalled: "Stalled",
} as const;

export const senderDomainReasons = {
  Accepted: "Accepted",
  Invalid: "Invalid",
  TooLarge: "TooLarge",
  RelayFull: "RelayFull",
  NotActedOnYet: "NotActedOnYet",
  RelayNotFound: "RelayNotFound",
  RelayNotSeen: "RelayNotSeen",
  RelayInvalid: "RelayInvalid",
  NamespaceNotAllowed: "NamespaceNotAllowed",
  NamespacesForbidden: "NamespacesForbidden",
  DomainNotAllowed: "DomainNotAllowed",
  SmarthostsNotAllowed: "SmarthostsNotAllowed",
  DomainConflict: "DomainConflict",
  NoSenders: "NoSenders",
  SendersIncomplete: "SendersIncomplete",
  SendersExpiring: "SendersExpiring",
  KeysReady: "KeysReady",
  NotSigned: "NotSigned",
  SecretNotFound: "SecretNotFound",
  SecretInvalid: "SecretInvalid",
  SecretsForbidden: "SecretsForbidden",
  ConfigMapNotFound: "ConfigMapNotFound",
  ConfigMapInvalid: "ConfigMapInvalid",
  ConfigMapsForbidden: "ConfigMapsForbidden",
  Programmed: "Programmed",
  WaitingForPods: "WaitingForPods",
  NoReadyPods: "NoReadyPods",
  Paused: "Paused",
  RecordsPublished: "RecordsPublished",
  RecordsMissing: "RecordsMissing",
  RecordsDiffer: "RecordsDiffer",
  LookupFailed: "LookupFailed",
  NotChecked: "NotChecked",
  Hibernating: "Hibernating",
  Ready: "Ready",
  Pending: "Pending",
  Progressing: "Progressing",
  Settled: "Settled",
  ReconcileFailing: "ReconcileFailing",
} as const;

export type SenderDomainConditionType = keyof typeof senderDomainConditions;
export type SenderDomainReason = keyof typeof senderDomainReasons;

type Text = ReasonText & { readonly reason: SenderDomainReason };

/** Every condition with its reasons and the situation that raises each; the reference page prints it. */
export const senderDomainConditionTexts: Readonly<Record<SenderDomainConditionType, readonly [Text, ...Text[]]>> = {
  Accepted: [
    { reason: "Accepted", when: "True: the relay serves this domain." },
    { reason: "NotActedOnYet", when: "True: it is served; the message names fields this version does not act on yet." },
    {
      reason: "Invalid",
      when: "False: the message names the field and what to do; the pods keep what they have of the domain.",
    },
    {
      reason: "TooLarge",
      when: "False: the domain with its keys, logins and authorities takes more than 128 KiB; the message names the field that takes most.",
    },
    {
      reason: "RelayFull",
      when: "False: the relay has no room for another domain; the message says how much there is. Name another MailRelay.",
    },
    { reason: "RelayNotFound", when: "False: relayRef names no MailRelay." },
    {
      reason: "RelayNotSeen",
      when: "False: the operator does not watch the namespace that relayRef names, or may not read MailRelays there; pods keep what they have of the domain.",
    },
    {
      reason: "RelayInvalid",
      when: "False: the MailRelay's spec cannot be read by this version; its pods keep what they have of the domain.",
    },
    {
      reason: "SecretNotFound",
      when: "False: a Secret that spec.smarthosts names does not exist; pods keep what they have of the domain.",
    },
    { reason: "SecretInvalid", when: "False: a Secret that spec.smarthosts names cannot be used." },
    { reason: "ConfigMapNotFound", when: "False: a ConfigMap that a caRef names does not exist." },
    { reason: "ConfigMapInvalid", when: "False: a ConfigMap that a caRef names cannot be used." },
    { reason: "NamespaceNotAllowed", when: "False: no entry of the relay's tenants admits this namespace." },
    {
      reason: "NamespacesForbidden",
      when: "False: the relay selects namespaces by labels that the operator may not see; pods keep what they have of the domain.",
    },
    {
      reason: "DomainNotAllowed",
      when: "False: no entry of the relay's tenants that admits the namespace lists the domain.",
    },
    {
      reason: "SmarthostsNotAllowed",
      when: "False: spec.smarthosts names a way out, and the relay's entry in tenants does not say `may: [Smarthosts]`.",
    },
    {
      reason: "DomainConflict",
      when: "False: an older SenderDomain has the domain on this relay; the message names it.",
    },
    {
      reason: "SecretsForbidden",
      when: "False: the operator may not read Secrets that senders or smarthosts name; the message is the command that allows it.",
    },
    {
      reason: "ConfigMapsForbidden",
      when: "False: the operator may not read a ConfigMap that smarthosts name; the message is the command that allows it.",
    },
    {
      reason: "SendersIncomplete",
      when: "True: some senders can use the domain; the message names a selector without Secrets, or a Secret that cannot be used or whose time is over.",
    },
    {
      reason: "SendersExpiring",
      when: "True: with a warning, because the time of a login, mailboat.dev/expires-at on its Secret, ends within a week.",
    },
    {
      reason: "NoSenders",
      when: "True: the relay serves the domain, and nobody can use it yet; the message says why of each of senders. Ready is False.",
    },
  ],
  KeysReady: [
    { reason: "KeysReady", when: "True: every key is there and usable." },
    { reason: "NotSigned", when: "True: the spec has no dkim, and mail goes unsigned." },
    { reason: "SecretNotFound", when: "False: a Secret named in spec.dkim.keys does not exist." },
    {
      reason: "SecretInvalid",
      when: "False: a Secret holds no usable private key, or Kubernetes refuses the one that the operator would make.",
    },
    { reason: "Paused", when: "Unknown: the keys are made when the MailRelay's spec.paused is false again." },
    {
      reason: "SecretsForbidden",
      when: "False: the operator may not read Secrets here; the message is the command that allows it.",
    },
  ],
  Programmed: [
    { reason: "Programmed", when: "True: every ready pod of the relay has loaded this domain." },
    { reason: "WaitingForPods", when: "False: a ready pod has not loaded it yet." },
    { reason: "NoReadyPods", when: "False: the relay has no ready pod." },
    {
      reason: "Hibernating",
      when: "False: the MailRelay's replicas is 0; its pods load the domain when they come back.",
    },
    { reason: "Paused", when: "False: the MailRelay's spec.paused is true, and the pods keep what they have." },
  ],
  DNSVerified: [
    { reason: "RecordsPublished", when: "True: every record of status.dnsRecords is published as wanted." },
    { reason: "RecordsMissing", when: "False: a record is not published; the message names the first." },
    { reason: "RecordsDiffer", when: "False: a record is published with another value." },
    { reason: "LookupFailed", when: "Unknown: the name servers did not answer." },
    { reason: "NotChecked", when: "Unknown: DNS has not been asked (never asked in local mode)." },
  ],
  Ready: [
    { reason: "Ready", when: "True: Accepted, KeysReady and Programmed are all True; DNS does not hold mail back." },
    {
      reason: "Hibernating",
      when: "True: everything is done for the domain, and its MailRelay hibernates, as was asked.",
    },
    {
      reason: "Progressing",
      when: "False: it is on its way; the message is that of the first condition that is not True.",
    },
    {
      reason: "NoSenders",
      when: "False: nothing stands in the way of mail, but nobody can use the domain; the message says why.",
    },
    { reason: "Invalid", when: "False: a person has to act; the message names the field or object." },
    { reason: "Pending", when: "Unknown: the operator has not looked at the resource yet." },
    {
      reason: "ReconcileFailing",
      when: "Unknown: the operator's last five looks or more ended in an error, which the message tells; what runs goes on as it was.",
    },
  ],
  Reconciling: [
    {
      reason: "Progressing",
      when: "True: the pods have yet to load it, or what it names may still be on its way: for fifteen seconds after it was made.",
    },
    { reason: "ReconcileFailing", when: "True: the operator's looks end in an error, and it tries again." },
    { reason: "Settled", when: "False: there is nothing left to do." },
  ],
  Stalled: [
    { reason: "Invalid", when: "True: nothing will change until a person acts; the message tells what." },
    { reason: "Settled", when: "False: nothing stands in the way." },
  ],
};

const dnsRecord = z.strictObject({
  type: z.enum(["TXT", "CNAME", "MX"]).describe("Record type."),
  name: z.string().max(253).describe("Name without a final dot."),
  value: z.string().max(4096).describe("The value that is wanted, unquoted."),
  state: z.enum(["Published", "Missing", "Different", "Unknown"]).describe("What a lookup found."),
  zoneLine: z
    .string()
    .max(8192)
    .optional()
    .describe("The record as a line of a zone file, ready to paste; a long value is split as TXT records want it."),
  observed: z.string().max(4096).optional().describe("What is published, when it differs."),
});

const dkimKey = z.strictObject({
  selector: z.string().max(63).describe("Names the key in DNS: SELECTOR._domainkey.DOMAIN."),
  algorithm: z.enum(["RSA", "Ed25519"]).describe("Kind of key."),
  state: z.enum(["Active"]).describe("Active: mail is signed with it."),
  since: z.string().max(64).meta({ format: "date-time" }).describe("When it took on this state."),
});

export const senderDomainStatus = z
  .strictObject({
    observedGeneration: observedGeneration.optional(),
    conditions: conditions.optional().describe("Judgements; each names what to do when it is not good."),
    dkim: z
      .strictObject({
        keys: listMap(dkimKey, "selector", 32).optional().describe("Each key that the relay has, and what it does."),
      })
      .optional()
      .describe("The keys in use."),
    limitedSince: z
      .string()
      .max(64)
      .meta({ format: "date-time" })
      .optional()
      .describe(
        "Since when mail of the domain is refused 450 again and again because it, its namespace, or an identity of its senders has sent what it may in an hour; absent when none was for ten minutes.",
      ),
    limitedSenders: listSet(z.string().max(63), 32)
      .optional()
      .describe("Entries of spec.senders of which an identity is refused so for its own limits."),
    dnsRecords: listAtomic(dnsRecord, 32).optional().describe("Records to publish, and what was found."),
  })
  .describe("What the domain is, as far as the operator has seen.");

export type SenderDomainStatus = z.infer<typeof senderDomainStatus>;

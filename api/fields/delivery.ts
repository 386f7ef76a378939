/** The way out: to whom, by which hops, how fast, how often again. */
import { z } from "zod";
import { lowerCased } from "../schema/pattern.ts";
import { duration, parseDuration } from "../duration.ts";
import { outboundTlsModes } from "../relayconfig.ts";
import { listAtomic, listMap, listSet } from "../schema/list.ts";
import { nameServer, network } from "../schema/network.ts";
import { ruled, type Rule } from "../schema/rule.ts";
import { smarthosts } from "./smarthost.ts";
import { domainPattern, labelName } from "../schema/text.ts";

interface RetryDurations {
  first: string;
  max: string;
  expireAfter: string;
}

const firstIsNotAboveMaximum: Rule<RetryDurations> = {
  cel: "duration(self.first) <= duration(self.max)",
  message: "must not be longer than max",
  at: ["first"],
  holds: ({ first, max }) => (parseDuration(first) ?? 0) <= (parseDuration(max) ?? 0),
};

const firstIsBeforeExpiry: Rule<RetryDurations> = {
  cel: "duration(self.first) < duration(self.expireAfter)",
  message: "must be longer than first: otherwise nothing is ever tried again",
  at: ["expireAfter"],
  holds: ({ first, expireAfter }) => (parseDuration(first) ?? 0) < (parseDuration(expireAfter) ?? 0),
};

// RFC 5321 section 4.5.4.1: retry after 30 minutes or more, give up after 4-5 days; the first retries may come sooner.
const retry = ruled(
  z.strictObject({
    first: duration("1s", "24h")
      .default("1m")
      .describe("Wait after the first failed attempt; each later wait doubles, with jitter."),
    max: duration("1s", "24h").default("4h").describe("Longest wait between two attempts."),
    expireAfter: duration("1s", "720h")
      .default("120h")
      .describe("After this time a recipient has failed and the sender gets a bounce."),
    notifyDelayAfter: duration("1s", "720h")
      .default("4h")
      .describe("After this time the sender is told once that delivery is delayed."),
  }),
  [firstIsNotAboveMaximum, firstIsBeforeExpiry],
)
  .prefault({})
  .describe("When a temporary failure is tried again, and when it becomes final.");

const destination = z.strictObject({
  name: labelName().describe("Name of the entry, in metrics and logs."),
  match: listSet(domainPattern(), 256)
    .min(1, { error: "must name at least one domain" })
    .describe(
      "Recipient domains, `*.example.com` for those below one. A pattern also stands for the domains all of whose MX hosts it " +
        "fits: `*.provider.example` for a provider's customers. All that one entry stands for, and domains with the same MX hosts, share its limits.",
    ),
  maxConnections: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe("Most connections of one pod at a time; 20 when absent."),
  messagesPerMinute: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      "Most messages of one pod in a minute, evenly spaced. Mail that waits for its turn stays in the spool and is not due.",
    ),
  messagesPerConnection: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .describe("Messages after which a connection is closed; 100 when absent."),
  recipientsPerMessage: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe(
      "Most recipients of one transaction; 100 when absent, which every server has to take (RFC 5321). A host that refuses as many gets fewer at once.",
    ),
  tlsMode: z
    .enum(outboundTlsModes)
    .optional()
    .describe(
      "TLS towards these domains: None, Opportunistic (when absent), Required (STARTTLS with a certificate of the MX host's name) or Implicit.",
    ),
});

/** Loopback and link-local (RFC 1122 section 3.2.1.3, RFC 3927, RFC 4291 sections 2.5.3 and 2.5.6); the cloud's metadata live there. */
const unreachableNetworks = ["127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10"] as const;

const warmUp = z.strictObject({
  firstDayMessages: z
    .int()
    .min(1)
    .max(10_000_000)
    .optional()
    .describe("Most messages to one destination on the first day; no warm-up when absent."),
  dailyGrowthPercent: z.int().min(1).max(900).default(50).describe("How much more each following day, in percent."),
});

const dns = z
  .strictObject({
    servers: listSet(nameServer(), 8)
      .default([])
      .describe("Name servers for MX and address lookups, an address or address:port; the pod's own when empty."),
  })
  .prefault({})
  .describe("Who is asked where mail goes.");

const allowListNeedsRecipients: Rule<{ mode: string; allowRecipients: readonly string[] }> = {
  cel: "(self.mode == 'AllowList') == (self.allowRecipients.size() > 0)",
  message: "must list recipients when mode is AllowList, and only then",
  at: ["allowRecipients"],
  holds: ({ mode, allowRecipients }) => (mode === "AllowList") === allowRecipients.length > 0,
};

/** `*@example.com` admits a whole domain, `alice@example.com` one person; an asterisk beside other characters would do nothing. */
const recipientPattern = lowerCased(
  z.string().max(320),
  /^([*]|[^\s<>@*]{1,64})@[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
  "must be an address such as alice@example.com, or *@example.com for a whole domain",
);

export const delivery = ruled(
  z.strictObject({
    mode: z
      .enum(["Send", "Capture", "AllowList"])
      .default("Send")
      .describe(
        "Send: deliver. Capture: accept, sign and keep, deliver nothing. AllowList: deliver to allowRecipients only and capture the rest, so that staging never mails customers. Captured mail stays in the pod that took it, for a week or until newer mail takes its place, and is never sent, whatever the mode is later.",
      ),
    allowRecipients: listSet(recipientPattern, 1024)
      .default([])
      .describe(
        "Recipients that mode AllowList delivers to: addresses, in upper or lower case alike, or `*@example.com` for a domain without those below it. Notices to senders obey it as well.",
      ),
    smarthosts: smarthosts().describe(
      "Next hops for everything, tried in order. Empty: the MX of each recipient's domain.",
    ),
    fallbackSmarthosts: smarthosts().describe(
      "Next hops used when every MX of a destination keeps failing: a message was put off before, or the hosts have been dead for as long as retry.first.",
    ),
    retry,
    destinations: listMap(destination, "name", 128)
      .default([])
      .describe(
        "Limits and TLS for particular recipient domains, where mail goes by MX; smarthosts say their own TLS.",
      ),
    blockedNetworks: listAtomic(network(), 64)
      .default([...unreachableNetworks])
      .describe(
        "Networks that no mail goes to by MX or by address literal, in CIDR form: whoever may name a recipient would otherwise choose what the pods connect to. Add the cluster's own networks where strangers name recipients; an empty list blocks nothing. Smarthosts are not subject to it.",
      ),
    warmUp: warmUp.optional().describe("Slow start of a new sending address, so that receivers learn to trust it."),
    dns,
  }),
  [allowListNeedsRecipients],
)
  .prefault({})
  .describe("The way out.");

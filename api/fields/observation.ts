/** Who watches: traces, metrics, events. */
import { z } from "zod";
import { spelled } from "../words/pattern.ts";
import { listAtomic, listMap, listSet } from "../words/list.ts";
import { authorityReference, secretKeyReference, secretReference } from "../words/reference.ts";
import { network } from "../words/network.ts";
import { atLeastOneOf, ruled } from "../words/rule.ts";
import { anyLabelSelector } from "../words/selector.ts";
import { hostName, httpUrl, labelName } from "../words/text.ts";

export const tracing = z
  .strictObject({
    endpoint: httpUrl()
      .optional()
      .describe(
        "OTLP/HTTP collector, for example http://otel-collector:4318; /v1/traces is added. Without it nothing is traced " +
          "but on the page of local mode.",
      ),
    samplingRatio: spelled(
      z.string().max(16),
      /^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$/,
      'must be a decimal between "0" and "1" in quotes',
    )
      .default("1.0")
      .describe("Share of messages that are traced, a decimal from 0 to 1 as text. Final failures are always traced."),
    headersRef: secretReference("Name of the Secret.")
      .optional()
      .describe("Secret of this namespace; each data key is sent to the collector as a header, for tokens."),
    caRef: authorityReference()
      .optional()
      .describe("Who signs the collector's certificate; the system's roots when absent."),
    trustedNextHops: listSet(hostName(), 64)
      .default([])
      .describe("Next hops that may see the traceparent header; it is stripped for all others."),
  })
  .describe("Where traces go, and who may see them. Without it nothing is traced and nothing is paid for it.");

const peer = ruled(
  z.strictObject({
    namespaceSelector: anyLabelSelector().optional().describe("Namespaces by label; all of them when empty."),
    podSelector: anyLabelSelector()
      .optional()
      .describe("Pods by label, in those namespaces or this one; all when empty."),
    ipBlock: z
      .strictObject({ cidr: network().describe("The network.") })
      .optional()
      .describe("A network outside the cluster."),
  }),
  [atLeastOneOf("namespaceSelector", "podSelector", "ipBlock")],
);

export const monitoring = z
  .strictObject({
    from: listAtomic(peer, 16)
      .min(1, { error: "must name at least one peer" })
      .describe("Peers, as in a NetworkPolicy."),
  })
  .describe("Who may reach the metrics port 9464; every pod of the cluster when absent.");

export const events = z
  .strictObject({
    sinks: listMap(
      z.strictObject({
        name: labelName().describe("Name of the receiver, in metrics and messages."),
        url: httpUrl().describe("Each event is posted here as a CloudEvent in JSON."),
        secretRef: secretKeyReference("Name of the Secret.", "key")
          .optional()
          .describe("Secret of this namespace whose key signs each request as Standard Webhooks asks."),
        types: listSet(z.string().min(1).max(253), 32)
          .optional()
          .describe("Types of events that are wanted; all when absent."),
      }),
      "name",
      8,
    )
      .min(1, { error: "must have at least one receiver" })
      .describe("Receivers of delivery events."),
  })
  .describe("Tells another program what became of each message.");

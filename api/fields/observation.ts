/** Who watches: traces, metrics, events. */
import { z } from "zod";
import { spelled } from "../schema/pattern.ts";
import { duration } from "../duration.ts";
import { listMap, listSet } from "../schema/list.ts";
import { authorityReference, secretKeyReference, secretReference } from "../schema/reference.ts";
import { hostName, httpUrl, labelName, textMap } from "../schema/text.ts";
import { networkPeers } from "./networkpolicy.ts";

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

export const monitoring = z
  .strictObject({
    from: networkPeers()
      .optional()
      .describe(
        "Who may reach the metrics port 9464, as peers of a NetworkPolicy; the relay's own namespace when absent.",
      ),
    podMonitor: z
      .strictObject({
        labels: textMap(32, 63).optional().describe("More labels on the PodMonitor, as a Prometheus selects it by."),
        interval: duration("5s", "1h").optional().describe("Time between two looks; the Prometheus' own when absent."),
      })
      .optional()
      .describe("The PodMonitor that is made where prometheus-operator's kinds are."),
  })
  .describe("Who watches the relay. Nobody outside its namespace may reach the metrics port by default.");

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

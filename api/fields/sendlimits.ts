/** How much may be sent in an hour: by a domain, by each namespace of a tenant, by each identity of a sender. */
import { z } from "zod";
import { size } from "../quantity.ts";

/** More than this is no limit. */
const most = 100_000_000;

function count(what: string) {
  return z
    .int()
    .min(1)
    .max(most)
    .optional()
    .describe(
      `Most ${what} in an hour, over all pods of the relay; more are answered 450 4.7.1 with the time to come back. A tenth of it ` +
        "may come at once, and 100 in any case; what is used up comes back evenly.",
    );
}

/** Made anew for each place: a schema that stands in two places is one object with one description. */
export function sendLimits() {
  return z.strictObject({
    messagesPerHour: count("messages"),
    recipientsPerHour: count("recipients"),
    bytesPerHour: size("64Ki", "1Pi")
      .optional()
      .describe(
        "Most octets in an hour, over all pods of the relay; more are answered 450 4.7.1, and a message that alone is larger " +
          "552 5.3.4. A tenth of it may come at once, and 64Mi in any case; what is used up comes back evenly.",
      ),
  });
}

export type SendLimits = z.infer<ReturnType<typeof sendLimits>>;

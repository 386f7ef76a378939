/**
 * Whether a recipient's mail may leave at all (delivery.mode): the one place that says so. Pure; whoever is not let out here by
 * name stays.
 *
 * It is asked when mail is given its way, when an attempt begins, and once more when the next hop waits for the message: a
 * configuration that arrives in between holds for everything that has not left by then.
 */
import type { RelayDocument } from "../../../api/relayconfig.ts";
import { domainOf } from "../../mail/address.ts";
import type { Reply } from "../../mail/reply.ts";

export type DeliveryMode = Pick<RelayDocument["delivery"], "mode" | "allowRecipients">;

export function mayLeave({ mode, allowRecipients }: DeliveryMode, address: string): boolean {
  switch (mode) {
    case "Send":
      return true;
    case "Capture":
      return false;
    case "AllowList":
      return isListed(allowRecipients, address);
  }
}

/** `*@example.com` stands for the addresses of that domain, and of none below it. People do not think of the case of an address. */
function isListed(patterns: readonly string[], address: string): boolean {
  const domain = domainOf(address);
  const local = address.slice(0, Math.max(address.lastIndexOf("@"), 0)).toLowerCase();
  if (domain === "" || local === "") return false;
  const [whole, one] = [`*@${domain}`, `${local}@${domain}`];
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    return wanted === whole || wanted === one;
  });
}

/** What stands where a next hop's reply would, in the log, the trace and the message's story. */
export function capturedReply({ mode }: DeliveryMode): Reply {
  const why = mode === "AllowList" ? "allowRecipients does not name the recipient" : "nothing leaves this relay";
  return { code: 250, enhanced: "2.0.0", text: `captured, not sent: delivery.mode ${mode}, ${why}` };
}

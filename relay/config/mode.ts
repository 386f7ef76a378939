/**
 * Whether a recipient's mail may leave at all (delivery.mode): the one place that says so. Pure; whoever is not let out here by
 * name stays.
 *
 * It is asked when mail is taken, and who is to stay then stays for good: a mode that is Send again sends nothing by surprise. It is
 * asked again when mail is given its way, when an attempt begins, and once more when the next hop waits for the message: a
 * configuration that arrives in between holds for everything that has not left by then.
 */
import type { RelayDocument } from "../../api/relayconfig.ts";
import { domainOf } from "../mail/address.ts";
import type { Reply } from "../mail/reply.ts";

export type DeliveryMode = Pick<RelayDocument["delivery"], "mode" | "allowRecipients">;

export interface Addressee {
  readonly address: string;
  /** Its mail was taken while the mode kept it. */
  readonly stays?: true;
}

export function mayLeave({ mode, allowRecipients }: DeliveryMode, { address, stays }: Addressee): boolean {
  if (stays === true) return false;
  switch (mode) {
    case "Send":
      return true;
    case "Capture":
      return false;
    case "AllowList":
      return isListed(allowRecipients, address);
  }
}

/** What is written down of a recipient when its mail is taken. */
export function staying(mode: DeliveryMode, address: string): Pick<Addressee, "stays"> {
  return mayLeave(mode, { address }) ? {} : { stays: true };
}

/**
 * `*@example.com` stands for the addresses of that domain, and of none below it. People do not think of the case of an address, but
 * letters beyond ASCII are what they are: a Kelvin sign is a k to Unicode, and another mailbox to its host (RFC 6531 section 3.2).
 */
function isListed(patterns: readonly string[], address: string): boolean {
  const domain = domainOf(address);
  const local = inLowerCase(address.slice(0, Math.max(address.lastIndexOf("@"), 0)));
  if (domain === "" || local === "") return false;
  const [whole, one] = [`*@${domain}`, `${local}@${domain}`];
  return patterns.some((pattern) => {
    const wanted = inLowerCase(pattern);
    return wanted === whole || wanted === one;
  });
}

function inLowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** What stands where a next hop's reply would, in the log, the trace and the message's story. */
export function capturedReply({ mode }: DeliveryMode): Reply {
  return { code: 250, enhanced: "2.0.0", text: `captured, not sent: delivery.mode ${reasons[mode]}` };
}

const reasons: Readonly<Record<DeliveryMode["mode"], string>> = {
  Capture: "Capture, nothing leaves this relay",
  AllowList: "AllowList, allowRecipients does not name the recipient",
  Send: "kept it from leaving when it was taken",
};

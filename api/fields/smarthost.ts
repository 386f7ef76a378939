/** The next hop that a person names: used by relays for everybody and by sender domains for themselves. */
import { z } from "zod";
import { outboundTlsModes } from "../relayconfig.ts";
import { listMap } from "../schema/list.ts";
import { authorityReference, secretReference } from "../schema/reference.ts";
import { ruled, type Rule } from "../schema/rule.ts";
import { hostName, labelName, portNumber } from "../schema/text.ts";

const credentialsNeedTls: Rule<{ credentialsRef?: object | undefined; tlsMode: string }> = {
  cel: "!has(self.credentialsRef) || !has(self.tlsMode) || self.tlsMode in ['Required', 'Implicit']",
  message: "must be Required or Implicit when credentialsRef is set: a password never travels to an unverified host",
  at: ["tlsMode"],
  holds: ({ credentialsRef, tlsMode }) =>
    credentialsRef === undefined || tlsMode === "Required" || tlsMode === "Implicit",
};

const smarthost = z.strictObject({
  name: labelName().describe("Name of the entry, in messages."),
  host: hostName().describe("Host name of the next hop; its certificate must carry this name where TLS is verified."),
  port: portNumber().describe("TCP port: usually 587, 465 with tlsMode Implicit, 25 inside a network."),
  tlsMode: outboundTlsMode("Required").describe(
    "None: never TLS. Opportunistic: TLS when offered, certificate not checked. Required: STARTTLS with a verified " +
      "certificate. Implicit: TLS from the first byte, verified. Mail waits when a required TLS cannot be had.",
  ),
  credentialsRef: secretReference("Name of the Secret.")
    .optional()
    .describe("kubernetes.io/basic-auth Secret in this namespace with the user name and password to log in with."),
  caRef: authorityReference()
    .optional()
    .describe(
      "Authorities that the certificate must chain to, in a Secret or a ConfigMap; the system's roots when absent.",
    ),
});

function outboundTlsMode(fallback: (typeof outboundTlsModes)[number]) {
  return z.enum(outboundTlsModes).default(fallback);
}

/** Next hops tried in the order written. Entries have names, so that a merge patch can change one of them. */
export function smarthosts() {
  return listMap(ruled(smarthost, [credentialsNeedTls]), "name", 8).default([]);
}

/**
 * What a host says of a recipient, or what kept it from saying anything. Values: what they mean is decided in one place
 * (relay/delivery/policy/failure.ts).
 */
import type { Reply } from "./reply.ts";

/** Where in the dialogue it happened. `end` is everything after the final dot was sent: the hop may have the message. */
export type Phase =
  "local" | "dns" | "connect" | "greeting" | "ehlo" | "tls" | "auth" | "mail" | "rcpt" | "data" | "body" | "end";

/** Reasons of our own: the other side was not asked, or its answer to another question decides. */
export type LocalReason =
  | "cannot-sign"
  | "body-unreadable"
  | "no-route"
  | "withheld"
  | "no-smtputf8"
  | "no-8bitmime"
  | "smtputf8-unknown"
  | "8bitmime-unknown"
  | "too-large"
  | "tls-not-offered"
  | "tls-failed"
  | "credentials-unprotected"
  | "null-mx"
  | "no-mail-host"
  | "mx-unusable"
  | "mx-loop"
  | "blocked-network"
  | "no-such-domain"
  | "dns-trouble";

export interface Trouble {
  readonly phase: Phase;
  /** What the other side said, when it said something. */
  readonly reply?: Reply;
  readonly reason?: LocalReason;
  /** Words for people: an error code or message, never content or credentials. */
  readonly detail?: string;
  /** The next hop, as `host:port`. */
  readonly nextHop?: string;
}

export type HostAnswer =
  /** `dsn`: the host offers DSN and was given what the sender wants to be told, and with it the duty (RFC 3461 section 5.2.1). */
  | { readonly kind: "accepted"; readonly reply: Reply; readonly dsn: boolean; readonly host?: string }
  | {
      readonly kind: "trouble";
      readonly trouble: Trouble;
      /** The name of the host that was asked, or would have been. */
      readonly host?: string;
      /** There was no session: the host was dialed in vain, or was not, because it had been a moment ago. */
      readonly unreached?: "dialed" | "resting";
    };

/** What the host said, as it said it, when the trouble was its words. */
export function remoteReply(answer: HostAnswer): { readonly host: string; readonly reply: Reply } | undefined {
  const { host } = answer;
  const reply = answer.kind === "accepted" ? answer.reply : answer.trouble.reply;
  return host === undefined || reply === undefined ? undefined : { host, reply };
}

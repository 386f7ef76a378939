/**
 * What a session of the server asks us: the line between the protocol and the decisions. Values only, so that neither side
 * knows the other's library.
 */
import type { X509Certificate } from "node:crypto";
import type { Readable } from "node:stream";
import type { Answer } from "../../../runtime/answer.ts";
import type { EnvelopeRecipient } from "../../mail/envelope.ts";
import { refusal, type Refusal, type Reply } from "../../mail/reply.ts";
import type { Channel } from "./channel.ts";
import type { MailCommand } from "./command.ts";
import type { Patience } from "./patience.ts";
import type { SaslExchange } from "./sasl.ts";

/** What is true of a session right now. */
export interface SessionState {
  readonly secure: boolean;
  readonly cipher: string | undefined;
  readonly helo: string;
  /** EHLO was said, not HELO. */
  readonly extended: boolean;
}

/** What MAIL and RCPT have said so far (RFC 5321 section 2.3.1). */
export interface Envelope {
  readonly mail: MailCommand;
  /** By address: a recipient that is named twice is one recipient. */
  readonly recipients: Map<string, EnvelopeRecipient>;
}

/** Who opened a connection, as far as its address tells. */
export interface ClientOrigin {
  /**
   * `proxy`: a load balancer that has not said for whom. `unknown`: it said that it does not know. `outsider`: comes past the load
   * balancers that alone may come.
   */
  readonly kind: "client" | "proxy" | "unknown" | "outsider";
  readonly address: string;
}

/** What the client showed in the TLS handshake; `unasked` where it was to show nothing, `none` where it had nothing to show. */
export type PeerCertificate =
  | { readonly kind: "unasked" | "none" }
  | {
      readonly kind: "shown";
      readonly leaf: X509Certificate;
      /** What leads from it to an authority, as far as it sent that along. */
      readonly others: readonly X509Certificate[];
      /** OpenSSL's word for what is wrong with it; undefined where one of our authorities vouches for it. */
      readonly fault: string | undefined;
    };

/** How a session that may begin is greeted. Known is whose network is trusted. */
export interface Greeting {
  readonly kind: "open";
  readonly greetingDelayMs: number;
  readonly isKnown: boolean;
}

/** What a TLS handshake left behind. */
export interface Secured {
  /** Such as `TLSv1.3`. */
  readonly protocol: string;
  /** What the connection is known by. */
  readonly channel: Channel;
  readonly peer: PeerCertificate;
}

/**
 * What the library asks us, one session each. Refusals are values; a rejection is our own failure. What may wait is asked one at a
 * time: the client's next command is read when it has been answered.
 */
export interface SessionRules {
  readonly hostname: string;
  readonly sizeLimitBytes: number;
  /** `unready` is a listener that wants TLS and has no certificate yet. */
  readonly startTls: "offered" | "unready" | "absent";
  /** Lenient: a line feed alone ends a line too. */
  readonly lineEnds: "Strict" | "Lenient";
  /** Asked once, with the first octet: takes a place. `giveWay` is called when the place is given to another. */
  enter(giveWay: () => void): Refusal | undefined;
  /** The client causes more trouble than it may, and none of it is trusted. */
  isLoud(): boolean;
  /** Asked once, when something can be said. A refusal ends the session. */
  open(): Answer<Greeting | Refusal>;
  /** Names of the SASL mechanisms that EHLO offers inside TLS. */
  readonly mechanisms: readonly string[];
  /** Undefined when there is no such mechanism. Who has logged in is for the rules to remember. */
  exchange(mechanism: string): SaslExchange | undefined;
  /** Told of every EHLO and HELO that is answered 250. */
  greeted(): void;
  /** Told when TLS is there. True when the client is known from now on. */
  secured(secured: Secured): boolean;
  /** Why nobody's mail is taken now: 421, which ends the session. Asked before each MAIL and DATA. */
  leaving(): Refusal | undefined;
  mayMail(state: SessionState): Refusal | undefined;
  mail(state: SessionState, command: MailCommand): Answer<Refusal | undefined>;
  /** Of one more recipient of the envelope. */
  recipient(state: SessionState, envelope: Envelope, recipient: EnvelopeRecipient): Answer<Refusal | undefined>;
  /** Reads the stream to its end; undefined when the client is gone. */
  data(state: SessionState, envelope: Envelope, stream: Readable): Promise<Reply | Refusal | undefined>;
  /** Told of every 4xx and 5xx that is sent. */
  refused(reply: Reply): void;
  /** Told when a transaction is over, whatever ended it, and also when there was none. */
  reset(): void;
  /** Told when the session ends, possibly more than once, and also when it was never opened: no answer is waited for any more. */
  closed(): void;
}

export interface MailServerOptions {
  readonly implicitTls: boolean;
  readonly patience: Patience;
  readonly maxConnections: () => number;
  readonly rulesFor: (client: ClientOrigin) => SessionRules;
  /** Only load balancers may connect. */
  readonly expectsProxies: () => boolean;
  /** Whether a PROXY header is expected from this peer. */
  readonly isProxy: (peerAddress: string) => boolean;
  /** Asked once of each peer that connects, before it costs a socket; it is told nothing. */
  readonly isShutFor: (peerAddress: string) => boolean;
}

/** PEM; the chain leaf first. */
export interface ServerCertificate {
  readonly chain: string;
  readonly privateKey: string;
  /** For clients that know no other keys than RSA. */
  readonly rsa?: Omit<ServerCertificate, "rsa"> | undefined;
}

/** RFC 5321 section 3.8. */
export function goodbyeOf(hostname: string): Refusal {
  return refusal(421, "4.3.2", `${hostname} takes no mail now, come again`);
}

/** RFC 5321 section 3.1: a session that is refused from the start is greeted with 554, or with 421 when it may be taken later. */
export function greetingOf({ code, ...refused }: Refusal): Refusal {
  return { ...refused, code: code < 500 ? 421 : 554 };
}

/** RFC 3207 section 4: 454 is "not now". The library would go on with the private key that it publishes with its source. */
export function refuseStartTls(startTls: SessionRules["startTls"]): Refusal | undefined {
  if (startTls === "unready") return refusal(454, "4.7.0", "TLS is not available yet: no certificate");
  return startTls === "absent" ? refusal(502, "5.5.1", "This listener has no TLS") : undefined;
}

/** Passwords only inside TLS (RFC 4954 section 4), never inside a transaction, and once a session. */
export function refuseAuth(
  startTls: SessionRules["startTls"],
  session: { readonly secure: boolean; readonly inside: boolean; readonly isLoggedIn: boolean },
): Refusal | undefined {
  if (session.inside) return refusal(503, "5.5.1", "AUTH is not permitted during a mail transaction");
  if (session.isLoggedIn) return refusal(503, "5.5.1", "No identity changes permitted");
  if (session.secure) return undefined;
  return startTls === "absent"
    ? refusal(502, "5.5.1", "This listener has no authentication, because it has no TLS")
    : refusal(538, "5.7.11", "Encryption required: issue a STARTTLS command first");
}

/** Enhanced codes of the replies that the library words itself (RFC 3463 section 3). */
const libraryCodes: ReadonlyMap<number, string> = new Map([
  [252, "2.5.0"],
  [451, "4.3.0"],
  [500, "5.5.1"],
  [501, "5.5.4"],
  [503, "5.5.1"],
]);

/** RFC 5321 section 4.2 and RFC 2034 section 4: each line has both codes. No text of a reply may begin another line. */
export function replyLines(code: number, enhanced: string, lines: readonly string[]): string {
  const last = lines.length - 1;
  return lines
    .map((line, index) => {
      const words = [enhanced, line.replace(controlCharacters, " ")].filter((part) => part !== "");
      return `${code}${index < last ? "-" : " "}${words.join(" ")}\r\n`;
    })
    .join("");
}

const controlCharacters = /[\p{Cc}]/gu;

export function libraryEnhanced(code: number, text: string): string {
  if (code === 421) {
    if (text.startsWith("Timeout")) return "4.4.2";
    return text.startsWith("Server shutting down") ? "4.3.2" : "4.7.0";
  }
  return libraryCodes.get(code) ?? `${Math.floor(code / 100)}.0.0`;
}

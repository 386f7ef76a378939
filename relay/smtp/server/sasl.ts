/**
 * How a SASL exchange travels in SMTP (RFC 4954 section 4). Pure but for what the mechanism itself does.
 *
 * The client's messages come in base64, the first with AUTH itself or after an empty challenge; `*` gives up. What cannot be
 * decoded ends the exchange with 501 5.5.2. A line that is too long ends it too, with 500, and never gets here (commandline.ts).
 */
import { refusal, type Refusal } from "../../mail/reply.ts";

export type SaslStep =
  | {
      readonly kind: "challenge";
      readonly data: Buffer;
      answer(response: Buffer): Promise<SaslStep>;
    }
  | { readonly kind: "authenticated" }
  | Refusal;

/** Begins one with the client's first message; undefined when none came with AUTH. A rejection is our own failure. */
export type SaslExchange = (initial: Buffer | undefined) => Promise<SaslStep>;

const undecodable = refusal(501, "5.5.2", "The message is no base64");

/** From the AUTH command to the first challenge, or to the end. */
export async function beginExchange(
  command: Buffer,
  exchangeOf: (mechanism: string) => SaslExchange | undefined,
): Promise<SaslStep> {
  const [, mechanism = "", initial, ...more] = command.toString("latin1").trim().split(/\s+/);
  const begin = exchangeOf(mechanism.toUpperCase());
  if (begin === undefined) return refusal(504, "5.5.4", "Unrecognized authentication type");
  if (more.length > 0) return refusal(501, "5.5.4", "Syntax: AUTH, a mechanism and at most one message in base64");
  if (initial === undefined) return begin(undefined);
  // A first message of no octets is written as one equals sign.
  const message = initial === "=" ? Buffer.alloc(0) : decode(initial);
  return message === undefined ? undecodable : begin(message);
}

/** With the line that answers a challenge. */
export async function goOn(challenge: Extract<SaslStep, { kind: "challenge" }>, line: Buffer): Promise<SaslStep> {
  const text = line.toString("latin1").trim();
  if (text === "*") return refusal(501, "5.5.2", "Authentication aborted");
  // As a first message of no octets is written, which some write here, too.
  const response = text === "=" ? Buffer.alloc(0) : decode(text);
  return response === undefined ? undecodable : challenge.answer(response);
}

/** RFC 4648 section 4; Node takes anything. The padding may be missing, of which nothing can be misunderstood. */
function decode(text: string): Buffer | undefined {
  const [, digits = ""] = /^([A-Za-z0-9+/]*)={0,2}$/.exec(text) ?? [];
  const isWhole = digits.length % 4 !== 1 && (digits.length === text.length || text.length % 4 === 0);
  return isWhole && (digits !== "" || text === "") ? Buffer.from(digits, "base64") : undefined;
}

/**
 * The messages of a SCRAM client by their grammar (RFC 5802 section 7): what does not follow it to the letter is refused, and
 * nothing is guessed. Pure.
 */
import type { Refusal } from "../../mail/reply.ts";
import { hasControlCharacters, malformed } from "./mechanism.ts";

/** What a client says of channel binding. */
export type BindingFlag =
  /** It knows none. */
  | { readonly kind: "unable" }
  /** It would, and believes that the server does not offer it. */
  | { readonly kind: "unoffered" }
  | { readonly kind: "bound"; readonly type: string };

export interface ClientFirst {
  readonly kind: "first";
  /** The GS2 header as it was written, which the client repeats in its last message. */
  readonly header: string;
  readonly flag: BindingFlag;
  /** Empty where the client names nobody but itself. */
  readonly authzid: string;
  readonly username: string;
  readonly nonce: string;
  /** All behind the header. */
  readonly bare: string;
}

export interface ClientFinal {
  readonly kind: "final";
  /** The GS2 header, and behind it what the channel is called. */
  readonly binding: Buffer;
  readonly nonce: string;
  readonly withoutProof: string;
  readonly proof: Buffer;
}

const saslname = "(?:[^\\0,=]|=2C|=3D)+";
/** Printable, without the comma. */
const nonce = "[!-+\\--~]+";
/** What the grammar itself does not name; ignored where it may be left out (section 5.1). */
const extensions = "(?:,[A-Zbdf-hj-loqtuw-z]=[^\\0,]+)*";
const base64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?";

const firstMessage = new RegExp(
  `^((n|y|p=([A-Za-z0-9.-]+)),(?:a=(${saslname}))?,)(n=(${saslname}),r=(${nonce})${extensions})$`,
  "u",
);
const finalMessage = new RegExp(`^(c=(${base64}),r=(${nonce})${extensions}),p=(${base64})$`, "u");

export function parseClientFirst(message: Buffer): ClientFirst | Refusal {
  const text = textOf(message);
  if (text === undefined) return malformed("The message is not UTF-8");
  // Section 5.1: who does not know what must be understood has to fail.
  if (/^[^,]*,[^,]*,m=/.test(text)) return malformed("Extensions that must be understood (m=) are not known here");
  const [whole, header = "", flag = "", type, authzid = "", bare = "", name = "", clientNonce = ""] =
    firstMessage.exec(text) ?? [];
  if (whole === undefined) return malformed("The first message of SCRAM is as in RFC 5802 section 7");
  const [username, forWhom] = [nameOf(name), nameOf(authzid)];
  if (hasControlCharacters(username + forWhom)) return malformed("Control characters in the user name");
  return { kind: "first", header, flag: flagOf(flag, type), authzid: forWhom, username, nonce: clientNonce, bare };
}

export function parseClientFinal(message: Buffer): ClientFinal | Refusal {
  const text = textOf(message);
  if (text === undefined) return malformed("The message is not UTF-8");
  const [whole, withoutProof = "", binding = "", bothNonces = "", proof = ""] = finalMessage.exec(text) ?? [];
  if (whole === undefined) return malformed("The last message of SCRAM is as in RFC 5802 section 7");
  return {
    kind: "final",
    binding: Buffer.from(binding, "base64"),
    nonce: bothNonces,
    withoutProof,
    proof: Buffer.from(proof, "base64"),
  };
}

function flagOf(flag: string, type: string | undefined): BindingFlag {
  if (type !== undefined) return { kind: "bound", type };
  return flag === "y" ? { kind: "unoffered" } : { kind: "unable" };
}

/** Section 5.1: a comma and an equals sign in a name. */
function nameOf(name: string): string {
  return name.replaceAll("=2C", ",").replaceAll("=3D", "=");
}

/** A mark at the beginning is part of the text: it would be missing in what both sides sign. */
function textOf(message: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(message);
  } catch {
    return undefined;
  }
}

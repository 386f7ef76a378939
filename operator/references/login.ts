/** The user name and password that a basic-auth Secret holds, and what is wrong with those that nobody could log in with. Pure. */
import { loginOctets, preparePassword, prepareUsername } from "../../api/login.ts";
import type { ConfigMap, Secret } from "../kube/objects.ts";

export interface Login {
  readonly username: string;
  readonly password: string;
}

export type LoginReading =
  | { readonly kind: "usable"; readonly login: Login }
  /** Which data key, and what to do; never what it holds. */
  | { readonly kind: "invalid"; readonly why: string };

/** As a next hop gets it: as it is written, but for the line end of the file that the Secret was made from. */
export function readLogin(secret: Secret | ConfigMap): LoginReading {
  const username = textOf(secret, "username");
  const password = textOf(secret, "password");
  const why = username.why ?? password.why;
  if (why !== undefined) return { kind: "invalid", why };
  return { kind: "usable", login: { username: username.text, password: password.text } };
}

/** As clients of ours prove it. */
export function readClientLogin(secret: Secret): LoginReading {
  const reading = readLogin(secret);
  if (reading.kind === "invalid") return reading;
  const username = prepareUsername(reading.login.username);
  const password = preparePassword(reading.login.password);
  for (const [key, text] of Object.entries({ username, password })) {
    if (Buffer.byteLength(text) <= loginOctets) continue;
    return { kind: "invalid", why: `data key ${key} is longer than ${loginOctets} octets: make it shorter` };
  }
  return { kind: "usable", login: { username, password } };
}

interface Reading {
  readonly text: string;
  readonly why?: string;
}

/** No SMTP client can send these: RFC 4616 section 2 for NUL, and a second line end is no part of anybody's password. */
const unsendable = { username: /\p{Cc}/u, password: /[\0\r\n]/ } as const;

function textOf(secret: Secret | ConfigMap, key: keyof typeof unsendable): Reading {
  const data = secret.data[key];
  if (data === undefined) return { text: "", why: `data key ${key} is missing: add it` };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(data, "base64"));
  } catch {
    return { text: "", why: `data key ${key} is not UTF-8: write it as UTF-8` };
  }
  // Files, and so Secrets made of them, like to end in a line end.
  const line = text.replace(/\r?\n$/, "");
  if (line === "") return { text: "", why: `data key ${key} is empty: fill it` };
  if (!unsendable[key].test(line)) return { text: line };
  return {
    text: "",
    why: `data key ${key} holds a line end or another control character, which no client can send: remove it`,
  };
}

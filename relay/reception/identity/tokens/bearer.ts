/**
 * OAUTHBEARER (RFC 7628) and XOAUTH2, its forerunner that mail providers and their clients speak: the client shows a token and may say
 * whose it is.
 *
 * On failure: RFC 7628 section 3.2.2 has the server say why in a challenge, which the client acknowledges before it hears the refusal.
 */
import {
  ask,
  hasControlCharacters,
  malformed,
  type Mechanism,
  type Proofs,
  type Step,
  type TokenLogin,
} from "../mechanism.ts";

export const oauthBearer = bearer({
  name: "OAUTHBEARER",
  read: readOauthBearer,
  syntax: "OAUTHBEARER is a GS2 header and auth=Bearer with a token, with ^A after each",
  notice: { status: "invalid_token", schemes: "bearer" },
});

export const xoauth2 = bearer({
  name: "XOAUTH2",
  read: readXoauth2,
  syntax: "XOAUTH2 is user= and auth=Bearer with a token, with ^A after each",
  notice: { status: "401", schemes: "bearer", scope: "" },
});

interface Dialect {
  readonly name: string;
  readonly read: (message: string) => TokenLogin | undefined;
  readonly syntax: string;
  readonly notice: Readonly<Record<string, string>>;
}

function bearer({ name, read, syntax, notice }: Dialect): Mechanism {
  const data = Buffer.from(JSON.stringify(notice));
  const check = async (message: Buffer, proofs: Proofs): Promise<Step> => {
    const login = read(message.toString());
    if (login === undefined) return malformed(syntax);
    if (hasControlCharacters(login.username)) return malformed("Control characters in the user name");
    const step = await proofs.token(login);
    return step.kind === "refusal" && step.code === 535 ? { kind: "notice", data, refused: step } : step;
  };
  return {
    name,
    isOffered: (proofs) => proofs.areTokensTaken(),
    begin: (initial, proofs) =>
      initial === undefined ? ask("", (response) => check(response, proofs)) : check(initial, proofs),
  };
}

/** Between the pairs, and after the last. */
const separator = "\x01";

/** RFC 7628 section 3.1. A client that binds to its channel (`p=`) cannot be served: no way to check it is said for this mechanism. */
function readOauthBearer(message: string): TokenLogin | undefined {
  const [header, rest] = cutAt(message);
  const found = /^[ny],(?:a=([^,]*))?,$/.exec(header);
  const token = found === null ? undefined : tokenIn(rest);
  // RFC 5801 section 4: the comma and the equals sign are written so.
  const username = (found?.[1] ?? "").replaceAll("=2C", ",").replaceAll("=3D", "=");
  return token === undefined ? undefined : { username, token };
}

function readXoauth2(message: string): TokenLogin | undefined {
  const [first, rest] = cutAt(message);
  const token = first.startsWith("user=") ? tokenIn(rest) : undefined;
  return token === undefined ? undefined : { username: first.slice("user=".length), token };
}

/** What is before the first separator and what is after it. */
function cutAt(message: string): readonly [string, string] {
  const end = message.indexOf(separator);
  return end < 0 ? [message, ""] : [message.slice(0, end), message.slice(end + 1)];
}

/** Of the one pair `auth`; who else writes pairs (host, port) is not asked. RFC 6750 section 2.1 says how a token is spelled. */
function tokenIn(text: string): string | undefined {
  if (!text.endsWith(separator + separator)) return undefined;
  const pairs = text.slice(0, -2).split(separator);
  if (!pairs.every((pair) => /^[A-Za-z]+=/.test(pair))) return undefined;
  const [only, ...more] = pairs.filter((pair) => /^auth=/i.test(pair));
  if (only === undefined || more.length > 0) return undefined;
  return /^auth=Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(only)?.[1];
}

/**
 * Reads the keys of an OIDC issuer: its discovery document, and the JWK Set that it names. By HTTPS alone, within a deadline, without
 * following redirects, and no more octets than such documents have: who may write a MailRelay chooses what is asked here, and learns of
 * the answer nothing but why it was of no use.
 *
 * On failure the error says for people what is wrong; nothing is repeated here.
 */
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { getCACertificates } from "node:tls";
import { readDiscovery, readTokenKeys } from "../../api/identity/tokenkey.ts";
import type { IssuerKeys } from "./issuer.ts";

export interface IssuerQuestion {
  readonly issuer: string;
  /** PEM; the system's roots when absent. */
  readonly ca: string | undefined;
}

export type FetchIssuer = (question: IssuerQuestion) => Promise<IssuerKeys>;

/** For each of the two documents. */
const usualDeadlineMs = 5_000;
const longestOctets = 512 * 1024;

/** OpenID Connect Discovery 1.0 section 4. Rejects with what is wrong. */
export async function fetchIssuer(
  { issuer, ca }: IssuerQuestion,
  deadlineMs: number = usualDeadlineMs,
): Promise<IssuerKeys> {
  const way = { ca, deadlineMs };
  const place = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const discovery = readDiscovery(await fetchJson(place, way));
  if (discovery === undefined) throw new Error("its /.well-known/openid-configuration is no discovery document");
  // Section 4.3: otherwise one issuer could speak for another.
  if (discovery.issuer !== issuer) throw new Error("its discovery document is of another issuer: write it exactly so");
  const { keysUrl } = discovery;
  if (keysUrl === undefined || !keysUrl.startsWith("https://")) throw new Error("its jwks_uri is no https:// address");
  const keys = readTokenKeys(await fetchJson(keysUrl, way));
  if (keys === undefined) throw new Error("what its jwks_uri has is no JWK Set");
  return { issuer, keys: someOf(keys) };
}

/** A set without any would lock everybody out; whoever means that takes the issuer out of the manifest. */
export function someOf(keys: IssuerKeys["keys"]): IssuerKeys["keys"] {
  if (keys.length === 0) throw new Error("it has no key for RS256 (2048 bits or more), ES256 or EdDSA");
  return keys;
}

interface Way {
  readonly ca: string | undefined;
  readonly deadlineMs: number;
}

async function fetchJson(url: string, { ca, deadlineMs }: Way): Promise<unknown> {
  const answered = Promise.withResolvers<IncomingMessage>();
  const late = Promise.withResolvers<never>();
  const headers = { accept: "application/json", "user-agent": "mailboat-operator" };
  const request = get(url, { agent: false, headers, ca: ca ?? getCACertificates("default") }, answered.resolve)
    .on("error", answered.reject)
    // RFC 9110 section 15.2.2: nobody asked for another protocol. Unheard, the request would end without a word.
    .on("upgrade", (answer, socket) => {
      socket.destroy();
      answered.resolve(answer);
    })
    .on("close", () => answered.reject(new Error("it closes the connection without an answer")));
  // Destroying the request is not enough: one that is destroyed already tells of nothing.
  const deadline = setTimeout(() => late.reject(new Error("no answer in time")), deadlineMs);
  try {
    const text = await Promise.race([bodyOf(answered.promise), late.promise]);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new Error(`${new URL(url).pathname} is no JSON`);
    }
  } finally {
    clearTimeout(deadline);
    request.destroy();
  }
}

async function bodyOf(answered: Promise<IncomingMessage>): Promise<string> {
  const answer = await answered;
  const { statusCode = 0 } = answer;
  if (statusCode >= 300 && statusCode < 400) throw new Error(`it answers ${statusCode}: redirects are not followed`);
  if (statusCode !== 200) throw new Error(`it answers ${statusCode}`);
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    octets += chunk.length;
    if (octets > longestOctets) throw new Error(`its answer is longer than ${longestOctets / 1024} KiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * Tokens (JWT, RFC 7519) against the keys of the snapshot: of the cluster's ServiceAccounts, and of the OIDC issuers that the manifest
 * names. Nothing is asked of anybody: a token whose pod, Secret or account is gone is taken until its end. The one file that knows jose,
 * which is loaded when the first token comes.
 *
 * A refusal tells what is wrong with a token where it is its owner's to know: what it says is in it. A key that is not known is
 * answered for now (unknownkeys.ts); everything else is a failed login.
 */
import type * as jose from "jose";
import { prepareUsername } from "../../../../api/login.ts";
import type { TokenIssuerDocument } from "../../../../api/relayconfig.ts";
import { type KnownTokenKey, knownTokenKeys, tokenAlgorithms } from "../../../../api/identity/tokenkey.ts";
import { refusal, type Refusal } from "../../../mail/reply.ts";
import { hasControlCharacters, invalidLogin, type Proven, type TokenLogin, unknownKey } from "../mechanism.ts";
import { groupIdentity, serviceAccountPrefix, userIdentity } from "../../../config/granted.ts";
import type { UnknownKeys } from "./unknownkeys.ts";

type Jose = typeof jose;
type Issuers = readonly TokenIssuerDocument[];
type Claims = Readonly<Record<string, unknown>>;

export interface TokenCheck {
  /** Whether it is a token of one of the issuers, as far as it says itself: no password then. */
  isOfOne(issuers: Issuers, text: string): Promise<boolean>;
  prove(issuers: Issuers, login: TokenLogin): Promise<Proven | Refusal>;
}

/** A token that begins in the future of our clock may be one of a clock that is a little ahead. Its end is its end. */
const skewSeconds = 30;
const groupsOfAUser = 1_000;
/** As long as one that a document may hold (api/identity/tokenkey.ts): whoever invents some must not fill the memory with them. */
const longestKeyId = 256;

const unknownIssuer = refusal(535, "5.7.8", "The token is of no issuer that this relay takes tokens of");
const otherAudience = refusal(535, "5.7.8", "The token is for another audience than this relay");
const noEnd = refusal(535, "5.7.8", "The token has no end: use one with an expiry");
const ended = refusal(535, "5.7.8", "The token has expired");
const otherUser = refusal(535, "5.7.8", "The user name is not that of the token: leave it empty, or name the token's");
const noUser = refusal(535, "5.7.8", "The token does not name its user in the claim that this relay looks at");
const noSuchKey = refusal(535, "5.7.8", "The token is signed with a key that its issuer does not publish");
const otherIssuer = refusal(
  454,
  "4.7.0",
  "The token's issuer is not known here yet, try again later or with a new token",
);
const notYet = refusal(454, "4.7.0", "The token is not valid yet, try again later");

export interface TokenCheckParts {
  readonly now: () => number;
  readonly unknownKeys: UnknownKeys;
}

export function createTokenCheck({ now, unknownKeys }: TokenCheckParts): TokenCheck {
  const load = loadOnce();
  const keySets = new WeakMap<TokenIssuerDocument, ReturnType<Jose["createLocalJWKSet"]>>();
  const keySetOf = (library: Jose, issuer: TokenIssuerDocument): ReturnType<Jose["createLocalJWKSet"]> => {
    const made = keySets.get(issuer) ?? library.createLocalJWKSet({ keys: [...knownTokenKeys(issuer.keys)] });
    keySets.set(issuer, made);
    return made;
  };
  return {
    async isOfOne(issuers, text) {
      if (issuers.length === 0 || !looksLikeToken(text)) return false;
      const token = readUnproven(await load(), text);
      if (token === undefined) return false;
      return issuers.some((issuer) => isIssuerOf(issuer, token.claims) || isRenamed(issuer, token));
    },
    async prove(issuers, { username, token: text }) {
      const library = await load();
      const token = looksLikeToken(text) ? readUnproven(library, text) : undefined;
      if (token === undefined) return invalidLogin;
      const at = now();
      const judged = judgeUnproven(issuers, token, at);
      if (judged.kind === "refusal") return judged;
      const { issuer, key } = judged;
      if (key === undefined) {
        const isNew = unknownKeys.seen(nameOf(issuer), token.keyId ?? "", at) === "awaited";
        return isNew || issuer.keys.length === 0 ? unknownKey : noSuchKey;
      }
      const hasOtherName = !isIssuerOf(issuer, token.claims);
      const proven = await verify(library, text, {
        keys: keySetOf(library, issuer),
        options: {
          ...(issuer.issuer === undefined || hasOtherName ? {} : { issuer: issuer.issuer }),
          audience: issuer.audience,
          algorithms: [...tokenAlgorithms],
          requiredClaims: ["exp", "sub"],
          currentDate: new Date(at),
          clockTolerance: skewSeconds,
        },
      });
      if ("kind" in proven) return proven;
      if (hasOtherName) {
        unknownKeys.seen(nameOf(issuer), `of ${textIn(proven.claims, "iss") ?? ""}`.slice(0, longestKeyId), at);
        return otherIssuer;
      }
      return principalOf({ issuer, key, claims: proven.claims, username });
    },
  };
}

/** Three parts in base64url (RFC 7515 section 3.1), the first of which is JSON and begins with a brace. */
export function looksLikeToken(text: string): boolean {
  return /^e[yw][\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}$/.test(text);
}

function loadOnce(): () => Promise<Jose> {
  let loading: Promise<Jose> | undefined;
  return () => (loading ??= import("jose"));
}

/** In the report the cluster's own issuer has no name. */
function nameOf(issuer: TokenIssuerDocument): string {
  return issuer.kind === "OIDC" ? issuer.name : "";
}

interface Unproven {
  readonly algorithm: string | undefined;
  readonly keyId: string | undefined;
  readonly claims: Claims;
}

/** Believed in nothing: it only says which key to ask. */
function readUnproven(library: Jose, text: string): Unproven | undefined {
  try {
    const { alg: algorithm, kid }: Claims = library.decodeProtectedHeader(text);
    // RFC 7515 section 4.1.4: a string. The header is whatever its writer likes, and an object would have no end of ways to be read.
    if (kid !== undefined && typeof kid !== "string") return undefined;
    return {
      algorithm: typeof algorithm === "string" ? algorithm : undefined,
      keyId: kid,
      claims: library.decodeJwt(text),
    };
  } catch {
    return undefined;
  }
}

function isIssuerOf(issuer: TokenIssuerDocument, claims: Claims): boolean {
  if (issuer.issuer !== undefined) return claims["iss"] === issuer.issuer;
  // Not read yet: it is the cluster's own, whose accounts are called so.
  return textIn(claims, "sub")?.startsWith(serviceAccountPrefix) === true;
}

/**
 * A cluster may be given another issuer (`--service-account-issuer`) and signs with the keys that it has: what such a key has signed is
 * not let in, and not refused for good either. The operator reads the issuer anew, and tokens of the former one are soon renewed.
 */
function isRenamed(issuer: TokenIssuerDocument, { claims, keyId }: Unproven): boolean {
  if (issuer.kind !== "ServiceAccounts" || keyId === undefined) return false;
  const isOfAccount = textIn(claims, "sub")?.startsWith(serviceAccountPrefix) === true;
  return isOfAccount && issuer.keys.some(({ kid }) => kid === keyId);
}

interface Judged {
  readonly kind: "judged";
  readonly issuer: TokenIssuerDocument;
  /** Undefined where the document does not have it. */
  readonly key: KnownTokenKey | undefined;
}

/** Everything that can be told without a signature comes first: it costs least. */
function judgeUnproven(issuers: Issuers, token: Unproven, now: number): Judged | Refusal {
  const { claims, algorithm, keyId } = token;
  const named = issuers.filter((issuer) => isIssuerOf(issuer, claims));
  const own = named.length > 0 ? named : issuers.filter((issuer) => isRenamed(issuer, token));
  if (own.length === 0) return unknownIssuer;
  const audiences = [claims["aud"]].flat();
  const issuer = own.find(({ audience }) => audiences.includes(audience));
  if (issuer === undefined) return otherAudience;
  if (algorithm === undefined || !tokenAlgorithms.includes(algorithm)) return invalidLogin;
  const { exp } = claims;
  if (typeof exp !== "number") return noEnd;
  if (exp * 1000 <= now) return ended;
  if ((keyId ?? "").length > longestKeyId) return invalidLogin;
  const keys = knownTokenKeys(issuer.keys);
  // Without an id (RFC 7515 section 4.1.4) only one key can be meant.
  const key = keyId === undefined ? (keys.length === 1 ? keys[0] : undefined) : keys.find(({ kid }) => kid === keyId);
  if (key === undefined && keyId === undefined && keys.length > 0) return invalidLogin;
  return { kind: "judged", issuer, key };
}

interface Verification {
  readonly keys: ReturnType<Jose["createLocalJWKSet"]>;
  readonly options: Parameters<Jose["jwtVerify"]>[2];
}

async function verify(
  library: Jose,
  text: string,
  { keys, options }: Verification,
): Promise<{ readonly claims: Claims } | Refusal> {
  try {
    const { payload } = await library.jwtVerify(text, keys, options);
    return { claims: payload };
  } catch (error) {
    // The signature was right: the clocks differ.
    if (error instanceof library.errors.JWTClaimValidationFailed && error.claim === "nbf") return notYet;
    // Nothing of it is written down: the error holds what the token says.
    return invalidLogin;
  }
}

interface Verified {
  readonly issuer: TokenIssuerDocument;
  readonly key: KnownTokenKey;
  readonly claims: Claims;
  readonly username: string;
}

function principalOf({ issuer, key, claims, username }: Verified): Proven | Refusal {
  const name = nameIn(issuer, claims);
  if (name === undefined || hasControlCharacters(name)) return noUser;
  if (username !== "" && prepareUsername(username) !== prepareUsername(name)) return otherUser;
  const identities = issuer.kind === "OIDC" ? identitiesIn(issuer, claims, name) : [name];
  const until = Number(claims["exp"]) * 1000;
  const proof = { kind: "token", issuer, key, identities } as const;
  return { kind: "proven", principal: { kind: "user", name, proof, until } };
}

function nameIn(issuer: TokenIssuerDocument, claims: Claims): string | undefined {
  if (issuer.kind === "ServiceAccounts") {
    const sub = textIn(claims, "sub");
    return sub !== undefined && /^system:serviceaccount:[^:\s]+:[^:\s]+$/.test(sub) ? sub : undefined;
  }
  // As Kubernetes itself has it: an address that its issuer knows to be unproven may be anybody's.
  if (issuer.usernameClaim === "email" && claims["email_verified"] !== undefined && claims["email_verified"] !== true) {
    return undefined;
  }
  return textIn(claims, issuer.usernameClaim);
}

function identitiesIn(
  { name: issuer, groupsClaim }: TokenIssuerDocument & { readonly kind: "OIDC" },
  claims: Claims,
  user: string,
): readonly string[] {
  const groups = groupsClaim === undefined ? [] : [claims[groupsClaim]].flat().slice(0, groupsOfAUser);
  return [
    userIdentity(issuer, user),
    ...groups.flatMap((group) => (typeof group === "string" ? [groupIdentity(issuer, group)] : [])),
  ];
}

function textIn(claims: Claims, name: string): string | undefined {
  const value = claims[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

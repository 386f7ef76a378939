/** Issuers of tokens for tests, with real keys. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { readTokenKeys, type TokenKey } from "../../api/identity/tokenkey.ts";
import { keepSecret } from "./secrets/disclosure.ts";

export type Algorithm = "RS256" | "ES256" | "EdDSA";

export interface SigningIssuer {
  /** As a document holds it. */
  readonly key: TokenKey;
  /** As its JWK Set has it. */
  readonly jwk: Readonly<Record<string, unknown>>;
  /** `header` is on top of what belongs to the key. */
  token(claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string;
}

export function signingIssuer(algorithm: Algorithm = "ES256", kid = "key-1"): SigningIssuer {
  const { publicKey, privateKey } = keyPair(algorithm);
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: algorithm };
  const [key] = readTokenKeys({ keys: [jwk] }) ?? [];
  if (key === undefined) throw new Error("a key that nobody can use");
  return {
    key,
    jwk,
    token(claims, header = {}) {
      const said = `${encoded({ alg: algorithm, kid, typ: "JWT", ...header })}.${encoded(claims)}`;
      const token = `${said}.${signature(algorithm, privateKey, Buffer.from(said)).toString("base64url")}`;
      keepSecret("a token", token);
      return token;
    },
  };
}

/** What somebody can make who has only what is public. */
export function forgedToken(
  { key }: SigningIssuer,
  algorithm: "none" | "HS256",
  claims: Readonly<Record<string, unknown>>,
): string {
  const said = `${encoded({ alg: algorithm, kid: key["kid"] })}.${encoded(claims)}`;
  const mac =
    algorithm === "none" ? "AAAAAAAAAAAA" : createHmac("sha256", JSON.stringify(key)).update(said).digest("base64url");
  return `${said}.${mac}`;
}

function keyPair(algorithm: Algorithm): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  switch (algorithm) {
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: 2048 });
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "EdDSA":
      return generateKeyPairSync("ed25519");
  }
}

function signature(algorithm: Algorithm, key: KeyObject, data: Buffer): Buffer {
  if (algorithm === "EdDSA") return sign(null, data, key);
  return sign("sha256", data, algorithm === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key);
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

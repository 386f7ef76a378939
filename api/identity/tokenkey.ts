/**
 * Keys by which tokens are checked (JWK, RFC 7517), as documents carry them: public members alone, of the kinds that a relay pins
 * algorithms for. With them nobody can make a token, so they are no secret. Pure.
 */
import { z } from "zod";

const number = z.string().regex(/^[A-Za-z0-9_-]+$/);
const id = z.string().max(256).optional();
/** RFC 7518 section 3.3: an RSA key has 2048 bits or more. */
const rsaDigits = Math.ceil(256 / 0.75);

/** RS256, ES256 and EdDSA each have one kind of key. What else a key says (private members, certificates) is left out. */
const publicKey = z.discriminatedUnion("kty", [
  z.object({ kty: z.literal("RSA"), kid: id, alg: z.literal("RS256").optional(), n: number.min(rsaDigits), e: number }),
  z.object({
    kty: z.literal("EC"),
    crv: z.literal("P-256"),
    kid: id,
    alg: z.literal("ES256").optional(),
    x: number,
    y: number,
  }),
  z.object({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    kid: id,
    alg: z.enum(["EdDSA", "Ed25519"]).optional(),
    x: number,
  }),
]);

export const tokenAlgorithms: readonly string[] = ["RS256", "ES256", "EdDSA"];

/** As a document holds it: a relay leaves out those that it does not know, so that a newer operator can bring others. */
export const tokenKey = z.record(z.string(), z.string());
export type TokenKey = z.infer<typeof tokenKey>;

const keySet = z.object({ keys: z.array(z.unknown()).max(256) });
const forSignatures = z.object({ use: z.literal("sig").optional() });

/** Those of a JWK Set that can check a token, in an order of our own; undefined where it is none. */
export function readTokenKeys(json: unknown): readonly TokenKey[] | undefined {
  const set = keySet.safeParse(json).data;
  const keys = set && distinct(set.keys.filter((key) => forSignatures.safeParse(key).success).flatMap(usable));
  return keys?.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

/** Of a document: those that this release knows. */
export function knownTokenKeys(keys: readonly TokenKey[]) {
  return distinct(keys.flatMap(usable));
}

/** One that is listed twice, as for two algorithms, would be none: nobody could say which of the two is meant. */
function distinct<Key extends object>(keys: readonly Key[]): Key[] {
  return [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()];
}

export type KnownTokenKey = ReturnType<typeof usable>[number];

function usable(key: unknown) {
  const read = publicKey.safeParse(key).data;
  if (read === undefined) return [];
  const { kid, alg: _alg, ...members } = read;
  return [{ ...(kid === undefined ? {} : { kid }), ...members }];
}

/** What an issuer says of itself (OpenID Connect Discovery 1.0 section 3), as far as it is needed. */
const discovery = z.object({ issuer: z.string().min(1).max(2048), jwks_uri: z.string().max(2048).optional() });

export interface Discovery {
  readonly issuer: string;
  /** Where its keys are; the API server's are asked for where they always are. */
  readonly keysUrl: string | undefined;
}

/** Undefined where it is no such document. */
export function readDiscovery(json: unknown): Discovery | undefined {
  const read = discovery.safeParse(json).data;
  return read === undefined ? undefined : { issuer: read.issuer, keysUrl: read.jwks_uri };
}

/**
 * An RSA key without what can be worked out from its primes: a third of its PEM. Ten thousand domains with two keys each
 * fit into the shards of one relay in this form (a Secret holds 1 MiB), and every change of one domain sends its shard
 * to every node that runs a pod. Pure.
 */
import { z } from "zod";

/** The public exponent that every key maker uses; a key with another one stays PEM. */
const exponent = 65_537n;
const exponentText = "AQAB";

/** RFC 7518 section 6.3.2: p, q and qi, base64url. */
export const rsaPrimes = z.object({ p: z.base64url(), q: z.base64url(), qi: z.base64url() });

export type RsaPrimes = z.infer<typeof rsaPrimes>;

/** A whole key in the members of RFC 7518 section 6.3. */
export interface RsaKey extends RsaPrimes {
  readonly kty: "RSA";
  readonly n: string;
  readonly e: string;
  readonly d: string;
  readonly dp: string;
  readonly dq: string;
}

/** Undefined for a key that is not its two primes and the usual exponent, and for one that is no RSA key. */
export function primesOf(key: { readonly [member in keyof RsaKey]?: string | undefined }): RsaPrimes | undefined {
  const { n, e, p, q, qi } = key;
  if (n === undefined || p === undefined || q === undefined || qi === undefined || e !== exponentText) return undefined;
  return numberOf(p) * numberOf(q) === numberOf(n) ? { p, q, qi } : undefined;
}

/** Throws a RangeError for numbers that cannot be primes of such a key. */
export function rsaKeyOf({ p, q, qi }: RsaPrimes): RsaKey {
  const [first, second] = [numberOf(p) - 1n, numberOf(q) - 1n];
  return {
    kty: "RSA",
    n: textOf((first + 1n) * (second + 1n)),
    e: exponentText,
    d: textOf(inverseOfExponent(first * second)),
    p,
    q,
    dp: textOf(inverseOfExponent(first)),
    dq: textOf(inverseOfExponent(second)),
    qi,
  };
}

/**
 * The x with exponent * x = 1 modulo `modulus`. Because the exponent is small, only the inverse of the modulus modulo the
 * exponent has to be searched for: the x is then (1 - modulus * inverse) / exponent, made positive.
 */
function inverseOfExponent(modulus: bigint): bigint {
  let [before, rest] = [exponent, modulus % exponent];
  let [last, factor] = [0n, 1n];
  while (rest > 0n) {
    const times = before / rest;
    [before, rest] = [rest, before - times * rest];
    [last, factor] = [factor, last - times * factor];
  }
  if (before !== 1n || modulus < exponent) throw new RangeError("no primes of an RSA key");
  const multiple = ((-last % exponent) + exponent) % exponent;
  return (1n + multiple * modulus) / exponent;
}

function numberOf(text: string): bigint {
  return BigInt(`0x0${Buffer.from(text, "base64url").toString("hex")}`);
}

function textOf(number: bigint): string {
  const digits = number.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex").toString("base64url");
}

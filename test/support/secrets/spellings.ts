/** How a secret may be written: as it is, and in every way that logs, headers and documents write octets. */
import { createPrivateKey, type JsonWebKey } from "node:crypto";

/** What is shorter is found everywhere. */
export const shortestOctets = 8;
/** Of what is long, any piece gives it away; a PEM file breaks its lines somewhere. */
const pieceLength = 20;
const pieces = 4;

/** Texts of at least eight characters; whoever finds one has found the secret, or a good part of it. */
export function spellingsOf(secret: Buffer): readonly string[] {
  const text = secret.toString("utf8");
  const asText = Buffer.from(text).equals(secret)
    ? [
        text,
        JSON.stringify(text).slice(1, -1),
        encodeURIComponent(text),
        new URLSearchParams({ x: text }).toString().slice(2),
      ]
    : [];
  const base64 = [0, 1, 2].map((offset) => base64Within(secret, offset));
  const hex = secret.toString("hex");
  const all = [...asText, ...base64, ...base64.map(inUrl), hex, hex.toUpperCase()];
  return [...new Set(all.flatMap(piecesOf))];
}

/** As it stands in the base64 of something longer, behind so many octets (modulo 3): what does not depend on its neighbours. */
function base64Within(secret: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), secret]).toString("base64");
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + secret.length) * 8) / 6));
}

function inUrl(base64: string): string {
  return base64.replaceAll("+", "-").replaceAll("/", "_");
}

function piecesOf(spelling: string): readonly string[] {
  if (spelling.length < 2 * pieceLength) return [spelling];
  const count = Math.min(pieces, Math.floor(spelling.length / pieceLength));
  return Array.from({ length: count }, (_, index) => spelling.slice(index * pieceLength, (index + 1) * pieceLength));
}

/**
 * Of a private key in PEM, the numbers that its public key does not tell, each of which gives the others away: RSA's exponent and, as
 * pods hold it, its primes and their coefficient (RFC 7518 section 6.3.2). None when it cannot be read.
 */
export function privatePartsOf(pem: string): readonly Buffer[] {
  let key: JsonWebKey;
  try {
    key = createPrivateKey(pem).export({ format: "jwk" });
  } catch {
    // Tests have keys that are broken on purpose.
    return [];
  }
  return [key.d, key.p, key.q, key.qi].flatMap((number) =>
    number === undefined ? [] : [Buffer.from(number, "base64url")],
  );
}

/** What is secret in a document: by the name of the field, as the configuration, Secrets and OpenTelemetry's settings write them. */
import { rsaPrimes } from "../../../api/rsakey.ts";
import { privatePartsOf } from "./spellings.ts";

export interface Secret {
  /** Where it stands; never what it is. */
  readonly label: string;
  readonly octets: Buffer;
}

const isOctets = /^(?:storedKey|serverKey)$/;
const isText = /^(?:password|clientsecret|client_secret|secret|token|authorization|api[-_]?key)$/i;
/** OTLP's and webhooks' headers: every value. */
const isHeaders = /^headers$/i;

export function secretsIn(value: unknown, label: string, name = ""): readonly Secret[] {
  if (typeof value === "string") return secretsOfText(value, label, name);
  if (typeof value !== "object" || value === null) return [];
  // An RSA key as pods hold it.
  const primes = rsaPrimes.safeParse(value);
  if (primes.success) {
    return Object.entries(primes.data).map(([key, number]) => ({
      label: `${label} ${key}`,
      octets: Buffer.from(number, "base64url"),
    }));
  }
  return Object.entries(value).flatMap(([key, inner]) =>
    secretsIn(inner, `${label} ${key}`, Array.isArray(value) ? name : isHeaders.test(name) ? "token" : key),
  );
}

function secretsOfText(text: string, label: string, name: string): readonly Secret[] {
  if (text.includes("PRIVATE KEY-----")) return privatePartsOf(text).map((octets) => ({ label, octets }));
  if (isOctets.test(name)) return [{ label, octets: Buffer.from(text, "base64") }];
  if (isText.test(name)) return [{ label, octets: Buffer.from(text) }];
  // A document within the document, as a Secret holds them.
  if (!/^\s*[[{]/.test(text)) return [];
  try {
    return secretsIn(JSON.parse(text), label, name);
  } catch {
    return [];
  }
}

/** Of the API server's kind Secret. */
export interface SecretObject {
  readonly metadata?: { readonly name?: string | undefined } | undefined;
  readonly data?: Readonly<Record<string, string>> | undefined;
  readonly stringData?: Readonly<Record<string, string>> | undefined;
}

export function isSecret(object: object): object is SecretObject {
  return "kind" in object && object.kind === "Secret";
}

export function secretsOfSecret(secret: SecretObject): readonly Secret[] {
  const data = Object.entries(secret.data ?? {}).map(
    ([key, text]) => [key, Buffer.from(text, "base64").toString()] as const,
  );
  const label = `Secret ${secret.metadata?.name ?? ""}`;
  return [...data, ...Object.entries(secret.stringData ?? {})].flatMap(([key, text]) =>
    secretsIn(text.trim(), `${label} ${key}`, key),
  );
}

/** Keys and certificates for tests, made fresh: DKIM pairs with their DNS records, certificates by openssl. */
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface DkimKey {
  readonly selector: string;
  readonly privateKey: string;
  /** The TXT record's text (RFC 6376 section 3.6.1, RFC 8463 section 4). */
  readonly record: string;
}

export function makeRsaKey(selector: string): DkimKey {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const point = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  return {
    selector,
    privateKey: pem(privateKey.export({ type: "pkcs8", format: "pem" })),
    record: `v=DKIM1; k=rsa; p=${point}`,
  };
}

export function makeEd25519Key(selector: string): DkimKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  // The last 32 octets of the SubjectPublicKeyInfo are the key itself.
  const point = publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64");
  return {
    selector,
    privateKey: pem(privateKey.export({ type: "pkcs8", format: "pem" })),
    record: `v=DKIM1; k=ed25519; p=${point}`,
  };
}

function pem(exported: string | Buffer): string {
  return exported.toString();
}

export interface TestCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Self-signed, so it is its own CA: for `localhost`, 127.0.0.1 and the name given. Files stay in `directory`. */
export function makeCertificate(directory: string, name: string): TestCertificate {
  const certificate = join(directory, `${name}.crt`);
  const privateKey = join(directory, `${name}.key`);
  const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name},DNS:localhost,IP:127.0.0.1`];
  const key = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-noenc",
    "-keyout",
    privateKey,
    "-out",
    certificate,
  ];
  execFileSync("openssl", ["req", "-x509", "-days", "2", ...subject, ...key], { stdio: "pipe" });
  return { certificate: readFileSync(certificate, "utf8"), privateKey: readFileSync(privateKey, "utf8") };
}

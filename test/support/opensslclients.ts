/** Authorities and clients' certificates by openssl, as cert-manager makes them for pods: a SPIFFE ID and no subject. Files stay. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of PEM files. */
export interface OpensslPair {
  readonly certificate: string;
  readonly privateKey: string;
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
const days = ["-days", "2"];

function openssl(args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: "pipe" });
}

/** One that signed itself. */
export function makeRoot(directory: string, name: string): OpensslPair {
  const pair = { certificate: join(directory, `${name}.crt`), privateKey: join(directory, `${name}.key`) };
  openssl([
    "req",
    "-x509",
    ...newKey,
    ...days,
    "-subj",
    `/CN=${name}`,
    "-keyout",
    pair.privateKey,
    "-out",
    pair.certificate,
  ]);
  return pair;
}

/** `extensions` are lines of OpenSSL's configuration; `subject` may be `/`, which is none. */
export function makeSigned(
  directory: string,
  issuer: OpensslPair,
  wish: { readonly name: string; readonly subject: string; readonly extensions: readonly string[] },
): OpensslPair {
  const place = (ending: string): string => join(directory, `${wish.name}.${ending}`);
  const pair = { certificate: place("crt"), privateKey: place("key") };
  writeFileSync(place("ext"), `${wish.extensions.join("\n")}\n`);
  openssl(["req", "-new", ...newKey, "-subj", wish.subject, "-keyout", pair.privateKey, "-out", place("csr")]);
  const by = ["-CA", issuer.certificate, "-CAkey", issuer.privateKey, "-CAcreateserial", "-extfile", place("ext")];
  openssl(["x509", "-req", "-in", place("csr"), ...by, ...days, "-out", pair.certificate]);
  return pair;
}

/** An authority below another, which clients send along with their own certificate. */
export function makeIntermediate(directory: string, issuer: OpensslPair, name: string): OpensslPair {
  const extensions = [
    "basicConstraints=critical,CA:TRUE,pathlen:0",
    "keyUsage=critical,keyCertSign",
    "subjectKeyIdentifier=hash",
    "authorityKeyIdentifier=keyid",
  ];
  return makeSigned(directory, issuer, { name, subject: `/CN=${name}`, extensions });
}

/** The file of its certificate holds what leads to the root as well, where there is something between. */
export function makeWorkload(
  directory: string,
  issuer: OpensslPair,
  wish: { readonly name: string; readonly uri: string; readonly isBelow?: boolean },
): OpensslPair {
  const extensions = [
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature,keyEncipherment",
    "extendedKeyUsage=clientAuth",
    "authorityKeyIdentifier=keyid",
    `subjectAltName=critical,URI:${wish.uri}`,
  ];
  const pair = makeSigned(directory, issuer, { name: wish.name, subject: "/", extensions });
  if (wish.isBelow === true) {
    const chain = [pair.certificate, issuer.certificate].map((path) => readFileSync(path, "utf8")).join("");
    writeFileSync(pair.certificate, chain);
  }
  return pair;
}

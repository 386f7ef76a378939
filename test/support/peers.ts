/**
 * The internal authority of the administration port as the operator keeps it, the identities that it gives out, and a client that
 * asks a relay's port with one of them.
 */
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { Agent, request } from "node:https";
import * as x509 from "@peculiar/x509";
import { administrationPortName, operatorIdentity, relayIdentity } from "../../api/administration.ts";

/** PEM. */
export interface PeerFiles {
  readonly certificate: string;
  readonly privateKey: string;
  readonly authorities: string;
}

export interface LeafWish {
  /** URI of the subject alternative name; without one it has a DNS name only. */
  readonly uri?: string;
  /** ms since the epoch; an hour ago and in a day when absent. */
  readonly notBefore?: number;
  readonly notAfter?: number;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const hourMs = 3_600_000;

export class InternalAuthority {
  /** PEM. */
  readonly certificate: string;
  readonly #issuer: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;

  private constructor(issuer: x509.X509Certificate, key: webcrypto.CryptoKey) {
    this.#issuer = issuer;
    this.#key = key;
    this.certificate = issuer.toString("pem");
  }

  static async make(name = "Mailboat internal CA"): Promise<InternalAuthority> {
    x509.cryptoProvider.set(webcrypto);
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const issuer = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: `CN=${name}`,
      notBefore: new Date(Date.now() - hourMs),
      notAfter: new Date(Date.now() + 24 * hourMs),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new InternalAuthority(issuer, keys.privateKey);
  }

  async issue(wish: LeafWish): Promise<PeerFiles> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: "CN=mailboat",
      issuer: this.#issuer.subject,
      notBefore: new Date(wish.notBefore ?? Date.now() - hourMs),
      notAfter: new Date(wish.notAfter ?? Date.now() + 24 * hourMs),
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([
          wish.uri === undefined ? { type: "dns", value: "localhost" } : { type: "url", value: wish.uri },
        ]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#issuer.publicKey),
      ],
    });
    const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    return {
      certificate: certificate.toString("pem"),
      privateKey: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
      authorities: this.certificate,
    };
  }

  /** What the operator shows. */
  operator(): Promise<PeerFiles> {
    return this.issue({ uri: operatorIdentity });
  }

  /** What all pods of a relay show; that of test configurations when nothing is said. */
  relay(relay = { namespace: "mail", name: "outbound" }): Promise<PeerFiles> {
    return this.issue({ uri: relayIdentity(relay) });
  }
}

function serialNumber(): string {
  return `01${randomBytes(15).toString("hex")}`;
}

export interface Question {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of keepConnection(). */
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** Who the server is stands in its URI; host names say nothing on this port. */
const checkServerIdentity = (): undefined => undefined;

/** Asks over one connection after the other only when the one before is gone. Destroy it at the end. */
export function keepConnection(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1, checkServerIdentity });
}

/** Over TLS as one that has these files; the server's chain is checked against their authorities. Rejects when TLS fails. */
export async function askPort(port: number, as: Partial<PeerFiles>, question: Question): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method, path, headers = {}, agent, body } = question;
  const asked = request(
    {
      host: "127.0.0.1",
      port,
      method,
      path,
      headers,
      ca: as.authorities,
      cert: as.certificate,
      key: as.privateKey,
      // An agent has a check of its own: with one a request Node keeps no connection.
      ...(agent === undefined ? { agent: false, checkServerIdentity } : { agent }),
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers });
      });
      response.once("error", reject);
    },
  );
  asked.once("error", reject);
  asked.end(body);
  return promise;
}

/** As the operator asks a running relay program for it; `undefined` takes the order back. */
export async function orderDrain(
  relay: { port(listener: string): number },
  operator: PeerFiles,
  peers: readonly { readonly name: string; readonly host: string; readonly port: number }[] | undefined,
): Promise<Answer> {
  const port = relay.port(administrationPortName);
  if (peers === undefined) return askPort(port, operator, { method: "DELETE", path: "/drain" });
  return askPort(port, operator, { method: "POST", path: "/drain", body: JSON.stringify({ version: 1, peers }) });
}

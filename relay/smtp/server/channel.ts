/**
 * What a TLS connection is known by on both its ends, so that a login can say in which one it travels (RFC 5056): whoever sits
 * between client and relay has another connection to each, and cannot pass on a login that names the one of the client.
 *
 * Nothing is worked out before a client asks for it. Where TLS ends at a load balancer there is no connection of ours to name: such
 * a listener has no TLS, and takes no logins.
 */
import { createHash, X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";

export interface Channel {
  /** Whether a client can name it in any way. */
  readonly hasName: boolean;
  /** By a type of channel binding: what the client may call it, each of which is right; none where the type does not work here. */
  namesOf(type: string): readonly Buffer[];
}

export const channelWithoutName: Channel = { hasName: false, namesOf: () => [] };

/** RFC 9266 section 2. */
const exporter = { octets: 32, label: "EXPORTER-Channel-Binding", context: Buffer.alloc(0) } as const;

/** `endPoints` are those of the certificates that the server may have shown; undefined is one that has none. */
export function channelOf(socket: TLSSocket, endPoints: readonly (Buffer | undefined)[]): Channel {
  // RFC 9266 section 4.2: before TLS 1.3 it names one connection only with the extended master secret, which Node does not tell of.
  const exports = socket.getProtocol() === "TLSv1.3";
  return {
    hasName: exports || (endPoints.length > 0 && endPoints.every((each) => each !== undefined)),
    namesOf(type) {
      if (type === "tls-exporter") {
        return exports ? [socket.exportKeyingMaterial(exporter.octets, exporter.label, exporter.context)] : [];
      }
      if (type !== "tls-server-end-point") return [];
      // A session that is resumed shows no certificate: it was one of these, whose keys are all ours.
      const shown = socket.isSessionReused() ? endPoints : [endPointOf(socket.getX509Certificate())];
      return shown.filter((each) => each !== undefined);
    },
  };
}

/**
 * RFC 5929 section 4.1: the digest of the certificate, by the hash of its signature, or SHA-256 in place of a weaker one. There is none
 * where the signature has no hash of its own, as with Ed25519.
 */
export function endPointOf(certificate: X509Certificate | undefined): Buffer | undefined {
  const hash = hashOf(certificate?.signatureAlgorithm ?? "");
  return certificate === undefined || hash === undefined
    ? undefined
    : createHash(hash).update(certificate.raw).digest();
}

/** By the name of a signature, such as `ecdsa-with-SHA256` or `sha384WithRSAEncryption`. */
function hashOf(signature: string): string | undefined {
  const [, bits] = /sha(1|224|256|384|512)(?![\d-])/i.exec(signature) ?? [];
  if (bits === "1" || /md5/i.test(signature)) return "sha256";
  return bits === undefined ? undefined : `sha${bits}`;
}

/** Of the leaf, which comes first. */
export function endPointOfChain(chain: string): Buffer | undefined {
  return endPointOf(new X509Certificate(chain));
}

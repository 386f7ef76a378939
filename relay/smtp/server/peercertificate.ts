/** What a client showed in a TLS handshake. The library has had it verified, and refuses nobody for it. */
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { type DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { PeerCertificate } from "./rules.ts";

export function peerCertificateOf(socket: Socket): PeerCertificate {
  if (!(socket instanceof TLSSocket) || socket.destroyed) return { kind: "unasked" };
  // A string, whatever its type says; null where nothing was asked for, or nothing is wrong.
  const fault: unknown = socket.authorizationError;
  if (!socket.authorized && typeof fault !== "string") return { kind: "unasked" };
  const [leaf, ...others] = chainOf(socket.getPeerCertificate(true)).map(({ raw }) => new X509Certificate(raw));
  if (leaf === undefined) return { kind: "none" };
  return { kind: "shown", leaf, others, fault: socket.authorized ? undefined : String(fault) };
}

/** Leaf first, each signed by the next as far as names tell, to the authority where it is one of ours. */
function chainOf(peer: DetailedPeerCertificate): readonly DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  // Empty where nothing was shown; one that signed itself is its own issuer.
  for (let next: DetailedPeerCertificate | undefined = peer; isNew(next, chain); next = next.issuerCertificate) {
    chain.push(next);
  }
  return chain;
}

function isNew(
  certificate: DetailedPeerCertificate | undefined,
  chain: readonly DetailedPeerCertificate[],
): certificate is DetailedPeerCertificate {
  return certificate !== undefined && Object.hasOwn(certificate, "raw") && !chain.includes(certificate);
}

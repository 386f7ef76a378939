/** What TLS says of a client's certificate as what it is to us, and to whoever has to mend it. Pure. */
import type { PeerCertificate } from "../../smtp/server/rules.ts";
import { certificateOf, firstNameOf } from "./certificate.ts";
import type { CertificateFault, Shown } from "./shown.ts";

type Presented = Extract<PeerCertificate, { readonly kind: "shown" }>;

export function shownBy(peer: PeerCertificate): Shown {
  if (peer.kind !== "shown") return peer;
  const { leaf, others, fault: word } = peer;
  if (word !== undefined) {
    const fault = faults.get(word) ?? "invalid";
    return { kind: "unusable", fault, why: whyUnusable(fault, peer) };
  }
  const certificate = certificateOf(leaf, others);
  const proof = { kind: "certificate", certificate } as const;
  const until = leaf.validToDate.getTime();
  return { kind: "certificate", principal: { kind: "peer", name: firstNameOf(certificate.names), proof, until } };
}

/** OpenSSL's words. */
const faults: ReadonlyMap<string, CertificateFault> = new Map([
  ["CERT_HAS_EXPIRED", "expired"],
  ["CERT_NOT_YET_VALID", "expired"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "untrusted"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "untrusted"],
  ["UNABLE_TO_GET_ISSUER_CERT", "untrusted"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "untrusted"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "untrusted"],
  ["CERT_SIGNATURE_FAILURE", "untrusted"],
  ["INVALID_PURPOSE", "unsuitable"],
]);

const toFindOut =
  "openssl verify -purpose sslclient -CAfile with the bundle, -untrusted with the rest of its file, says more";

function whyUnusable(fault: CertificateFault, { leaf, fault: word = "" }: Presented): string {
  switch (fault) {
    case "expired": {
      const [from, to] = [leaf.validFromDate.toISOString(), leaf.validToDate.toISOString()];
      return `it, or an authority that signed it, is not valid now; it is valid from ${from} to ${to}`;
    }
    case "untrusted":
      return "it leads to no authority that this relay has for clients; send the certificates between along with it";
    case "unsuitable":
      return (
        "it is not made for clients, or what signed it not for signing: an extended key usage must have clientAuth, " +
        "a key usage digital signature, and authorities CA:TRUE"
      );
    case "invalid":
      // OpenSSL has words for more than Node passes on, such as keys that are too short and names outside of what an authority may sign.
      return `${word === "UNSPECIFIED" ? "it breaks a rule" : `verification says ${word}`}; ${toFindOut}`;
  }
}

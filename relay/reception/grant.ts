/** Whom grants name: one of a whole domain, or of one entry of its senders. Pure. */
import type { DomainDocument } from "../../api/relayconfig.ts";
import { isNamed } from "./identity/certificate.ts";
import type { Proof } from "./identity/principal.ts";

export interface Grant {
  /** As `relay/config/granted.ts` writes them. */
  readonly identities: ReadonlySet<string>;
  readonly senders: Pick<DomainDocument["senders"], "clientCertificates" | "certificateNames" | "trustedNetworks">;
}

export function isNamedBy({ identities, senders }: Grant, proof: Proof): boolean {
  switch (proof.kind) {
    case "password":
      return proof.credentials.some(({ identity }) => identities.has(identity));
    case "token":
      return proof.identities.some((identity) => identities.has(identity));
    case "certificate":
      return isNamed(proof.certificate.names, senders);
    case "address":
      return senders.trustedNetworks;
  }
}

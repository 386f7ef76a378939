/** Secrets of the administration port: the operator's internal authority, and what the pods of one relay share. */
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { encodeData, secretText } from "../../kube/secret.ts";
import type { InternalAuthority } from "../world.ts";
import { internalAuthoritySecretName, peerSecretName } from "./names.ts";
import { ownedMetadata } from "./owned.ts";

export interface PeerContent {
  /** PEM. */
  readonly chain: string;
  readonly privateKey: string;
  /** All authorities that pods believe. */
  readonly authorities: string;
}

export function renderPeer(relay: Stored<MailRelay>, content: PeerContent): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: ownedMetadata(relay, peerSecretName(relay.metadata.name)),
    type: "kubernetes.io/tls",
    data: encodeData({
      "tls.crt": content.chain,
      "tls.key": content.privateKey,
      "ca.crt": content.authorities,
    }),
  };
}

/** What a Secret of ours holds, to render it again with the labels and owner it should have. */
export function peerContent(peer: Secret): PeerContent {
  return {
    chain: secretText(peer, "tls.crt") ?? "",
    privateKey: secretText(peer, "tls.key") ?? "",
    authorities: secretText(peer, "ca.crt") ?? "",
  };
}

export function renderInternalAuthority(namespace: string, authority: InternalAuthority): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: internalAuthoritySecretName, namespace },
    type: "kubernetes.io/tls",
    data: encodeData({
      "tls.crt": authority.certificate,
      "tls.key": authority.privateKey,
      "ca.crt": authority.bundle,
    }),
  };
}

/**
 * The certificate that the pods of a relay share, with which they know each other and the operator: when it has to be made anew,
 * and the Secret in which they have it. Pure.
 */
import { identityOf, relayIdentity } from "../../api/administration.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { Secret, Stored } from "../kube/objects.ts";
import { encodeData, secretText } from "../kube/secret.ts";
import { peerSecretName } from "../owned/names.ts";
import { ownedMetadata } from "../owned/metadata.ts";
import { isSignedBy, parsed } from "./bundle.ts";
import { readCertificate, renewAt } from "./certificate.ts";
import type { InternalAuthority } from "./internalauthority.ts";
import type { LeafIssue } from "./request.ts";

export interface PeerContent {
  /** PEM. */
  readonly chain: string;
  readonly privateKey: string;
  /** All authorities that pods believe. */
  readonly authorities: string;
}

export function renderPeer(relay: Stored<MailRelay>, content: PeerContent): Secret {
  const { chain, privateKey, authorities } = content;
  return peerSecret(relay, { "tls.crt": chain, "tls.key": privateKey, "ca.crt": authorities });
}

function peerSecret(relay: Stored<MailRelay>, values: Readonly<Record<string, string>>): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: ownedMetadata(relay, peerSecretName(relay.metadata.name)),
    type: "kubernetes.io/tls",
    data: encodeData(values),
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

export interface PeerQuestion {
  readonly relay: { readonly namespace: string; readonly name: string };
  /** What the pods mount now. */
  readonly peer: Secret | undefined;
  readonly authority: InternalAuthority;
  readonly now: number;
}

/** Why the certificate that a relay's pods share has to be made anew; undefined when it serves. */
export function peerReissueReason({ relay, peer, authority, now }: PeerQuestion): string | undefined {
  if (peer === undefined) return "there is none yet";
  const chain = secretText(peer, "tls.crt");
  const reading = readCertificate(chain, secretText(peer, "tls.key"));
  const leaf = parsed(chain ?? "");
  if (reading.kind !== "usable" || leaf === undefined) return reading.kind === "invalid" ? reading.why : "it is empty";
  if (secretText(peer, "ca.crt") !== authority.bundle) return "its authorities are not those in force";
  if (!isSignedBy(leaf, authority.certificate)) return "it is not of the authority in force";
  const identity = relayIdentity(relay);
  if (identityOf(leaf.subjectAltName) !== identity) return `it is not for ${identity}`;
  if (now >= renewAt(reading.fact)) return `it expires ${new Date(reading.fact.notAfter).toISOString()}`;
  return undefined;
}

/** What is to be made for the pods of a relay where what they have does not serve; undefined where it does. */
export function decideInternalLeaf(
  relay: Stored<MailRelay>,
  question: Omit<PeerQuestion, "relay">,
): LeafIssue | undefined {
  const { authority, now } = question;
  if (peerReissueReason({ ...question, relay: relay.metadata }) === undefined) return undefined;
  // The same certificate answers when its pod is asked and shows who asks when its pod does.
  const request = { authority, names: [], uris: [relayIdentity(relay.metadata)], isClient: true, now };
  return { secret: peerSecret(relay, { "ca.crt": authority.bundle }), leaves: [{ pair: "tls", request }] };
}

/**
 * Makes what `trust.ts` finds missing: the internal authority, and the certificate that the pods of a relay share. The X.509
 * library is loaded when it is needed, which is a few times a year.
 */
import { relayIdentity } from "../../../api/administration.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import { inTurn } from "../inturn.ts";
import type { Kube } from "../../kube/kube.ts";
import type { Stored } from "../../kube/objects.ts";
import { internalAuthoritySecretName } from "../objects/names.ts";
import { renderInternalAuthority, renderPeer } from "../objects/peer.ts";
import { keepSecret } from "../own/kept.ts";
import type { InternalAuthority } from "../world.ts";
import { bundleOf, decideAuthority } from "./trust.ts";

/** Resolves to the authority in force, which is made or renewed first where that is due. */
export type KeepAuthority = () => Promise<InternalAuthority>;

export interface AuthorityPlace {
  readonly kube: Kube;
  /** The operator's own. */
  readonly namespace: string;
  readonly now: () => number;
}

/** One for all reconciles: two that found no authority at the same time must not make two. */
export function openInternalAuthority(place: AuthorityPlace): KeepAuthority {
  return inTurn(() => keep(place));
}

async function keep({ kube, namespace, now }: AuthorityPlace): Promise<InternalAuthority> {
  const at = now();
  return keepSecret({ kube, namespace, name: internalAuthoritySecretName }, async (present) => {
    const decision = decideAuthority(present, at);
    if (decision.kind === "keep") return { value: decision.authority, store: undefined };
    const value = decision.kind === "write" ? decision.authority : await made(decision.earlier, at);
    return { value, store: renderInternalAuthority(namespace, value) };
  });
}

async function made(earlier: readonly string[], now: number): Promise<InternalAuthority> {
  const { internalAuthority, makeCertificateAuthority } = await import("../issue.ts");
  const issued = await makeCertificateAuthority(now, internalAuthority);
  return { ...issued, bundle: bundleOf(issued.certificate, earlier) };
}

export interface PeerIssuing {
  readonly kube: Kube;
  readonly keepAuthority: KeepAuthority;
  readonly now: () => number;
}

export async function issuePeer({ kube, keepAuthority, now }: PeerIssuing, relay: Stored<MailRelay>): Promise<void> {
  const { issueLeaf } = await import("../issue.ts");
  const authority = await keepAuthority();
  // The same certificate answers when its pod is asked and shows who asks when its pod does.
  const leaf = await issueLeaf({
    authority,
    names: [],
    uris: [relayIdentity(relay.metadata)],
    isClient: true,
    now: now(),
  });
  await kube.apply(
    renderPeer(relay, { chain: leaf.certificate, privateKey: leaf.privateKey, authorities: authority.bundle }),
  );
}

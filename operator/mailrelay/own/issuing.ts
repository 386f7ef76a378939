/**
 * Makes what `authority.ts` finds missing, and the certificates of relays that have no other. The X.509 library is loaded when it
 * is needed, which is a few times a year.
 */
import type { MailRelay } from "../../../api/mailrelay.ts";
import { inTurn } from "../../../runtime/inturn.ts";
import { type Kube, RejectedError } from "../../kube/kube.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { encodeData, secretText } from "../../kube/secret.ts";
import { readCertificate, reissueReason } from "../certificate.ts";
import { renderCertificate } from "../objects/certificate.ts";
import { authoritySecretName, certificateSecretName } from "../objects/names.ts";
import type { AuthorityPlace } from "../peer/issuing.ts";
import { isSignedByOneOf } from "../peer/trust.ts";
import type { IssuedCertificate } from "../world.ts";
import { type ClientAuthority, clientAuthority, decideClientAuthority } from "./authority.ts";
import { keepSecret } from "./kept.ts";

/** Resolves to the authority in force, which is made or renewed first where that is due. */
export type KeepClientAuthority = () => Promise<ClientAuthority>;

/** One for all reconciles: two that found no authority at the same time must not make two. */
export function openClientAuthority(place: AuthorityPlace): KeepClientAuthority {
  return inTurn(() => keep(place));
}

async function keep({ kube, namespace, now }: AuthorityPlace): Promise<ClientAuthority> {
  const at = now();
  let signing: IssuedCertificate | undefined;
  try {
    return await keepSecret({ kube, namespace, name: authoritySecretName }, async (present) => {
      const decision = decideClientAuthority(present, at);
      if (decision.kind === "keep") return { value: decision.authority, store: undefined };
      signing = decision.kind === "make" ? decision.signing : undefined;
      const value = decision.kind === "write" ? decision.authority : await made(decision.signing, decision.earlier, at);
      return { value, store: renderClientAuthority(namespace, value) };
    });
  } catch (error) {
    // A person gave it and has to renew it; until its end it signs on.
    if (!(error instanceof RejectedError) || signing === undefined) throw error;
    return clientAuthority({ signing, next: undefined, earlier: [] });
  }
}

async function made(
  signing: IssuedCertificate | undefined,
  earlier: readonly string[],
  now: number,
): Promise<ClientAuthority> {
  const { makeCertificateAuthority } = await import("../issue.ts");
  const another = await makeCertificateAuthority(now);
  const isFirst = signing === undefined;
  return clientAuthority({ signing: signing ?? another, next: isFirst ? undefined : another, earlier });
}

function renderClientAuthority(namespace: string, { signing, next, bundle }: ClientAuthority): Secret {
  const following = next === undefined ? {} : { "next.crt": next.certificate, "next.key": next.privateKey };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: authoritySecretName, namespace },
    type: "kubernetes.io/tls",
    data: encodeData({ "tls.crt": signing.certificate, "tls.key": signing.privateKey, "ca.crt": bundle, ...following }),
  };
}

export interface OwnIssuing {
  readonly kube: Kube;
  readonly keepClientAuthority: KeepClientAuthority;
  readonly now: () => number;
}

/** A certificate of the authority for these names, with all that clients should trust. One that serves stays. */
export async function issueOwn(
  { kube, keepClientAuthority, now }: OwnIssuing,
  relay: Stored<MailRelay>,
  names: readonly string[],
): Promise<void> {
  const { signing, bundle } = await keepClientAuthority();
  const { namespace, name } = relay.metadata;
  const present = await kube.get("Secret", namespace, certificateSecretName(name));
  const serving = servingPair(present, { names, bundle, now: now() });
  const { issueLeaf } = await import("../issue.ts");
  const leaf = serving ?? (await issueLeaf({ authority: signing, names, now: now() }));
  await kube.apply(
    renderCertificate(relay, { chain: leaf.certificate, privateKey: leaf.privateKey, authority: bundle }),
  );
}

interface Serving {
  readonly names: readonly string[];
  readonly bundle: string;
  readonly now: number;
}

/** One that was copied from a Secret is not ours to go on with. */
function servingPair(present: Secret | undefined, { names, bundle, now }: Serving): IssuedCertificate | undefined {
  const certificate = secretText(present, "tls.crt");
  const privateKey = secretText(present, "tls.key");
  if (certificate === undefined || privateKey === undefined) return undefined;
  const reading = readCertificate(certificate, privateKey);
  if (reissueReason({ reading, names, now }) !== undefined || !isSignedByOneOf(certificate, bundle)) return undefined;
  return { certificate, privateKey };
}

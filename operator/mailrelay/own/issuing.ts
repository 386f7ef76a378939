/**
 * Makes what `authority.ts` finds missing, and the certificates of relays that have no other. The X.509 library is loaded when it
 * is needed, which is a few times a year.
 */
import type { MailRelay } from "../../../api/mailrelay.ts";
import { inTurn } from "../inturn.ts";
import { type Kube, RejectedError } from "../../kube/kube.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { encodeData, secretText } from "../../kube/secret.ts";
import { algorithmOf, type KeyAlgorithm, readCertificate, reissueReason } from "../certificate.ts";
import { renderCertificate } from "../objects/certificate.ts";
import { authoritySecretName, certificateSecretName } from "../objects/names.ts";
import type { AuthorityPlace } from "../peer/issuing.ts";
import { isSignedByOneOf } from "../peer/trust.ts";
import type { IssuedCertificate } from "../world.ts";
import {
  type ClientAuthority,
  clientAuthority,
  decideClientAuthority,
  type Half,
  type Halves,
  type LeafName,
  leavesOf,
  type PairName,
  type WholeHalf,
} from "./authority.ts";
import { keepSecret } from "./kept.ts";

/** Resolves to the authority in force, which is made or renewed first where that is due. */
export type KeepClientAuthority = () => Promise<ClientAuthority>;

/** One for all reconciles: two that found no authority at the same time must not make two. */
export function openClientAuthority(place: AuthorityPlace): KeepClientAuthority {
  return inTurn(() => keep(place));
}

async function keep({ kube, namespace, now }: AuthorityPlace): Promise<ClientAuthority> {
  const at = now();
  let inForce: IssuedCertificate | undefined;
  try {
    return await keepSecret({ kube, namespace, name: authoritySecretName }, async (present) => {
      const decision = decideClientAuthority(present, at);
      if (decision.kind === "keep") return { value: decision.authority, store: undefined };
      inForce = decision.kind === "make" ? decision.halves.ECDSA.signing : undefined;
      const value = decision.kind === "write" ? decision.authority : await made(decision.halves, at);
      return { value, store: renderClientAuthority(namespace, value) };
    });
  } catch (error) {
    // A person gave it and has to renew it; until its end it signs on.
    if (!(error instanceof RejectedError) || inForce === undefined) throw error;
    const half = { kind: "whole", signing: inForce, next: undefined, earlier: [] } as const;
    return clientAuthority({ ECDSA: half, RSA: undefined });
  }
}

async function made({ ECDSA, RSA }: Halves<Half>, now: number): Promise<ClientAuthority> {
  return clientAuthority({
    ECDSA: await completed(ECDSA, "ECDSA", now),
    RSA: RSA === undefined ? undefined : await completed(RSA, "RSA", now),
  });
}

async function completed(half: Half, algorithm: KeyAlgorithm, now: number): Promise<WholeHalf> {
  if (half.kind === "whole") return half;
  const { clientAuthorities, makeCertificateAuthority } = await import("../issue.ts");
  const another = await makeCertificateAuthority(now, clientAuthorities[algorithm]);
  const { signing, earlier } = half;
  return { kind: "whole", signing: signing ?? another, next: signing === undefined ? undefined : another, earlier };
}

function renderClientAuthority(namespace: string, { ECDSA, RSA, bundle }: ClientAuthority): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: authoritySecretName, namespace },
    type: "kubernetes.io/tls",
    data: encodeData({
      ...pairAs("tls", ECDSA.signing),
      ...pairAs("next", ECDSA.next),
      ...pairAs("rsa", RSA?.signing),
      ...pairAs("rsa-next", RSA?.next),
      "ca.crt": bundle,
    }),
  };
}

function pairAs(name: PairName, pair: IssuedCertificate | undefined): Readonly<Record<string, string>> {
  return pair === undefined ? {} : { [`${name}.crt`]: pair.certificate, [`${name}.key`]: pair.privateKey };
}

export interface OwnIssuing {
  readonly kube: Kube;
  readonly keepClientAuthority: KeepClientAuthority;
  readonly now: () => number;
}

/** Certificates of the authorities for these names, with all that clients should trust. One that serves stays. */
export async function issueOwn(
  { kube, keepClientAuthority, now }: OwnIssuing,
  relay: Stored<MailRelay>,
  names: readonly string[],
): Promise<void> {
  const authority = await keepClientAuthority();
  const { bundle } = authority;
  const { namespace, name } = relay.metadata;
  const present = await kube.get("Secret", namespace, certificateSecretName(name));
  const leafOf = async (
    pair: LeafName,
    algorithm: KeyAlgorithm | undefined,
  ): Promise<IssuedCertificate | undefined> => {
    const signing = algorithm === undefined ? undefined : authority[algorithm]?.signing;
    if (signing === undefined) return undefined;
    const serving = servingPair(present, { pair, names, bundle, now: now() });
    if (serving !== undefined && algorithmOf(serving.certificate) === algorithm) return serving;
    const { issueLeaf } = await import("../issue.ts");
    return issueLeaf({ authority: signing, names, now: now() });
  };
  const wanted = leavesOf(relay.spec.tls.selfSigned?.algorithms, authority);
  const leaf = await leafOf("tls", wanted.tls);
  const rsa = await leafOf("rsa", wanted.rsa);
  if (leaf === undefined) throw new Error("the authority for clients has no key of the kind that is asked for");
  await kube.apply(
    renderCertificate(relay, { chain: leaf.certificate, privateKey: leaf.privateKey, authority: bundle, rsa }),
  );
}

interface Serving {
  readonly pair: LeafName;
  readonly names: readonly string[];
  readonly bundle: string;
  readonly now: number;
}

/** One that was copied from a Secret is not ours to go on with. */
function servingPair(
  present: Secret | undefined,
  { pair, names, bundle, now }: Serving,
): IssuedCertificate | undefined {
  const certificate = secretText(present, `${pair}.crt`);
  const privateKey = secretText(present, `${pair}.key`);
  if (certificate === undefined || privateKey === undefined) return undefined;
  const reading = readCertificate(certificate, privateKey);
  if (reissueReason({ reading, names, now }) !== undefined || !isSignedByOneOf(certificate, bundle)) return undefined;
  return { certificate, privateKey };
}

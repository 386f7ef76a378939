/**
 * Makes the keys and certificates that a plan asks for, and decides nothing. The X.509 library is loaded when it is needed, which
 * is a few times a year.
 */
import type { Secret } from "../kube/objects.ts";
import { encodeData } from "../kube/secret.ts";
import { bundleOf } from "./bundle.ts";
import type { KeyAlgorithm } from "./certificate.ts";
import {
  type ClientAuthority,
  clientAuthority,
  type ClientAuthorityChange,
  type Half,
  renderClientAuthority,
  type WholeHalf,
} from "./clientauthority.ts";
import { type InternalAuthority, type InternalAuthorityChange, renderInternalAuthority } from "./internalauthority.ts";
import type { AuthorityChange, LeafIssue } from "./request.ts";

/** The Secret of an authority as it is to be stored in the operator's namespace. */
export async function makeAuthority(wanted: AuthorityChange, namespace: string, now: number): Promise<Secret> {
  return wanted.of === "clients"
    ? renderClientAuthority(namespace, await changedClientAuthority(wanted.change, now))
    : renderInternalAuthority(namespace, await changedInternalAuthority(wanted.change, now));
}

async function changedClientAuthority(change: ClientAuthorityChange, now: number): Promise<ClientAuthority> {
  if (change.kind === "write") return change.authority;
  const { ECDSA, RSA } = change.halves;
  return clientAuthority({
    ECDSA: await completed(ECDSA, "ECDSA", now),
    RSA: RSA === undefined ? undefined : await completed(RSA, "RSA", now),
  });
}

async function completed(half: Half, algorithm: KeyAlgorithm, now: number): Promise<WholeHalf> {
  if (half.kind === "whole") return half;
  const { clientAuthorities, makeCertificateAuthority } = await import("./issue.ts");
  const another = await makeCertificateAuthority(now, clientAuthorities[algorithm]);
  const { signing, earlier } = half;
  return { kind: "whole", signing: signing ?? another, next: signing === undefined ? undefined : another, earlier };
}

async function changedInternalAuthority(change: InternalAuthorityChange, now: number): Promise<InternalAuthority> {
  if (change.kind === "write") return change.authority;
  const { internalAuthority, makeCertificateAuthority } = await import("./issue.ts");
  const issued = await makeCertificateAuthority(now, internalAuthority);
  return { ...issued, bundle: bundleOf(issued.certificate, change.earlier) };
}

/** The Secret with the certificates that it lacks. */
export async function issueLeaves({ secret, leaves }: LeafIssue): Promise<Secret> {
  if (leaves.length === 0) return secret;
  const { issueLeaf } = await import("./issue.ts");
  const made: Record<string, string> = {};
  for (const { pair, request } of leaves) {
    const { certificate, privateKey } = await issueLeaf(request);
    Object.assign(made, { [`${pair}.crt`]: certificate, [`${pair}.key`]: privateKey });
  }
  return { ...secret, data: { ...secret.data, ...encodeData(made) } };
}

/** What is to be made of authorities and certificates, as values: a plan says it, trust/making.ts does it. */
import type { Installation } from "../installation/installation.ts";
import type { Reference } from "../kube/kube.ts";
import type { Secret } from "../kube/objects.ts";
import { authoritySecretName, internalAuthoritySecretName } from "../owned/names.ts";
import type { IssuedCertificate } from "./certificate.ts";
import type { ClientAuthorityChange } from "./clientauthority.ts";
import type { InternalAuthorityChange } from "./internalauthority.ts";

/** What is to become of an authority of the operator's own. */
export interface AuthorityRequest {
  readonly wanted: AuthorityChange;
  /** Whose namespace has the Secret. */
  readonly installation: Pick<Installation, "namespace">;
  /** Its Secret as it was when that was decided. */
  readonly read: Secret | undefined;
}

const authoritySecrets = { clients: authoritySecretName, pods: internalAuthoritySecretName } as const;

/** Where an authority is kept. */
export function authorityReference({ wanted, installation }: AuthorityRequest): Reference {
  return { kind: "Secret", namespace: installation.namespace, name: authoritySecrets[wanted.of] };
}

export interface LeafRequest {
  readonly authority: IssuedCertificate;
  /** DNS names and IP addresses; the first becomes the subject. */
  readonly names: readonly string[];
  /** Identities of programs that are known by them and not by a host name. */
  readonly uris?: readonly string[];
  /** Whether whoever has it may also show it when it dials. */
  readonly isClient?: boolean;
  /** Milliseconds; 90 days when absent. */
  readonly lifeMs?: number;
  readonly now: number;
}

/** Names of the pairs in a Secret of certificates: data keys `tls.crt` and `tls.key`, and so on. */
export type LeafPair = "tls" | "rsa";

export interface LeafIssue {
  /** With everything in it that stays. */
  readonly secret: Secret;
  readonly leaves: readonly { readonly pair: LeafPair; readonly request: LeafRequest }[];
}

/** Of one of the two authorities, what is to become of it. */
export type AuthorityChange =
  | { readonly of: "clients"; readonly change: ClientAuthorityChange }
  | { readonly of: "pods"; readonly change: InternalAuthorityChange };

/** As a plan says it; `field` is the one that asks for it. */
export type TrustAction =
  | ({ readonly kind: "keepAuthority"; readonly field?: string } & AuthorityRequest)
  | ({ readonly kind: "issue" } & LeafIssue);

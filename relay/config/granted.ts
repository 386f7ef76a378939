/**
 * Identities by which sender domains grant and logins are granted, as texts that cannot be mistaken for one another: a Secret is
 * `namespace/name`, a ServiceAccount `system:serviceaccount:namespace:name`, and of an issuer's users and groups the name of the entry
 * comes first, which has no colon. Pure.
 */
import type { DomainDocument } from "../../api/relayconfig.ts";

export const serviceAccountPrefix = "system:serviceaccount:";

export function userIdentity(issuer: string, user: string): string {
  return `oidc:${issuer}:user:${user}`;
}

export function groupIdentity(issuer: string, group: string): string {
  return `oidc:${issuer}:group:${group}`;
}

interface Named extends Pick<DomainDocument["senders"], "serviceAccounts" | "oidc"> {
  /** `namespace/name`. */
  readonly secrets: readonly string[];
}

/** Whom a domain, or one entry of its senders, names. */
export function grantedIdentities({ secrets, serviceAccounts, oidc = [] }: Named): Set<string> {
  return new Set([
    ...secrets,
    ...serviceAccounts.map(({ namespace, name }) => `${serviceAccountPrefix}${namespace}:${name}`),
    ...oidc.flatMap(({ issuer, users, groups }) => [
      ...users.map((user) => userIdentity(issuer, user)),
      ...groups.map((group) => groupIdentity(issuer, group)),
    ]),
  ]);
}

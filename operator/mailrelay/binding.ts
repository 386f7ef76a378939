/**
 * Which SenderDomain a relay serves: it must consent to the namespace and the domain, and of two that bring the same
 * domain the older one has it. Pure.
 */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import { nameOf } from "../kube/kube.ts";
import type { Stored } from "../kube/objects.ts";
import { type Labels, matchesSelector } from "../kube/selector.ts";

export type Consent =
  | { readonly kind: "given" }
  | {
      readonly kind: "refused";
      readonly reason: "NamespaceNotAllowed" | "DomainNotAllowed";
      readonly message: string;
    };

export interface ConsentQuestion {
  readonly relay: Stored<MailRelay>;
  readonly domain: Stored<SenderDomain>;
  readonly namespaceLabels: Labels;
}

export function refersTo(domain: Stored<SenderDomain>, relay: Stored<MailRelay>): boolean {
  const { name, namespace } = domain.spec.relayRef;
  return name === relay.metadata.name && (namespace ?? domain.metadata.namespace) === relay.metadata.namespace;
}

/** The relay's own namespace is always welcome; `domains` limits only the others. */
export function judgeConsent(question: ConsentQuestion): Consent {
  const { relay, domain, namespaceLabels } = question;
  const { allowedNamespaces } = relay.spec;
  const { namespace } = domain.metadata;
  if (namespace === relay.metadata.namespace) return { kind: "given" };
  const isWelcome =
    allowedNamespaces.from === "All" ||
    (allowedNamespaces.from === "Selector" && matchesSelector(allowedNamespaces.selector ?? {}, namespaceLabels));
  if (!isWelcome) {
    const message =
      `MailRelay ${nameOf(relay.metadata)} does not admit namespace ${namespace}: ` +
      `its owner can set spec.allowedNamespaces.from to All, or to Selector with a selector that matches`;
    return { kind: "refused", reason: "NamespaceNotAllowed", message };
  }
  const { domains } = allowedNamespaces;
  if (domains === undefined || domains.some((pattern) => matchesDomain(pattern, domain.spec.domain))) {
    return { kind: "given" };
  }
  const message =
    `MailRelay ${nameOf(relay.metadata)} does not admit ${domain.spec.domain}: ` +
    `its owner can add it to spec.allowedNamespaces.domains`;
  return { kind: "refused", reason: "DomainNotAllowed", message };
}

/** `*.example.com` stands for everything below example.com. */
function matchesDomain(pattern: string, domain: string): boolean {
  return pattern === domain || (pattern.startsWith("*.") && domain.endsWith(pattern.slice(1)));
}

/** Oldest first, then by namespace/name: the order does not depend on who asks. */
export function isOlder(left: Stored<SenderDomain>, right: Stored<SenderDomain>): boolean {
  const [leftTime, rightTime] = [createdAt(left), createdAt(right)];
  if (leftTime !== rightTime) return leftTime < rightTime;
  return nameOf(left.metadata) < nameOf(right.metadata);
}

function createdAt(domain: Stored<SenderDomain>): number {
  return Date.parse(domain.metadata.creationTimestamp ?? "") || 0;
}

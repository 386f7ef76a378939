/**
 * Which SenderDomain a relay serves: it must consent to the namespace and the domain, and of two that bring the same
 * domain the older one has it. Pure.
 */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import { nameOf } from "../kube/kube.ts";
import type { ObjectMeta, Stored } from "../kube/objects.ts";
import { type Labels, matchesAsFarAsKnown, matchesSelector, namespaceNameLabel } from "../kube/selector.ts";

export type Consent =
  | { readonly kind: "given" }
  | {
      readonly kind: "refused";
      readonly reason: "NamespaceNotAllowed" | "DomainNotAllowed";
      readonly message: string;
    }
  /** The operator may not see the labels that decide: what the pods have of the domain stays. */
  | { readonly kind: "unknown" };

export interface ConsentQuestion {
  readonly relay: Stored<MailRelay>;
  readonly domain: {
    readonly metadata: Pick<ObjectMeta, "namespace">;
    readonly spec: Pick<SenderDomain["spec"], "domain">;
  };
  /** Undefined where the operator may not see them. */
  readonly namespaceLabels: Labels | undefined;
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
  const isWelcome = welcomes(allowedNamespaces, namespace, namespaceLabels);
  if (isWelcome === false) {
    const message =
      `MailRelay ${nameOf(relay.metadata)} does not admit namespace ${namespace}: ` +
      `its owner can set spec.allowedNamespaces.from to All, or to Selector with a selector that matches`;
    return { kind: "refused", reason: "NamespaceNotAllowed", message };
  }
  const { domains } = allowedNamespaces;
  if (domains === undefined || domains.some((pattern) => matchesDomain(pattern, domain.spec.domain))) {
    return { kind: isWelcome === undefined ? "unknown" : "given" };
  }
  const message =
    `MailRelay ${nameOf(relay.metadata)} does not admit ${domain.spec.domain}: ` +
    `its owner can add it to spec.allowedNamespaces.domains`;
  return { kind: "refused", reason: "DomainNotAllowed", message };
}

type AllowedNamespaces = MailRelay["spec"]["allowedNamespaces"];

function welcomes(allowed: AllowedNamespaces, namespace: string, labels: Labels | undefined): boolean | undefined {
  if (allowed.from !== "Selector") return allowed.from === "All";
  const selector = allowed.selector ?? {};
  return labels === undefined
    ? matchesAsFarAsKnown(selector, { [namespaceNameLabel]: namespace })
    : matchesSelector(selector, labels);
}

/** Whether it takes more than the names of namespaces to tell which ones are admitted. */
export function needsNamespaceLabels({ from, selector = {} }: AllowedNamespaces): boolean {
  if (from !== "Selector") return false;
  const keys = [
    ...Object.keys(selector.matchLabels ?? {}),
    ...(selector.matchExpressions ?? []).map((requirement) => requirement.key),
  ];
  return keys.some((key) => key !== namespaceNameLabel);
}

/** `*.example.com` stands for everything below example.com. */
function matchesDomain(pattern: string, domain: string): boolean {
  return pattern === domain || (pattern.startsWith("*.") && domain.endsWith(pattern.slice(1)));
}

/** Something that came to be at some time. */
type Aged = { readonly metadata: Pick<ObjectMeta, "namespace" | "name" | "creationTimestamp"> };

/** Oldest first, then by namespace/name: the order does not depend on who asks. */
export function isOlder(left: Aged, right: Aged): boolean {
  const [leftTime, rightTime] = [createdAt(left), createdAt(right)];
  if (leftTime !== rightTime) return leftTime < rightTime;
  return nameOf(left.metadata) < nameOf(right.metadata);
}

function createdAt({ metadata }: Aged): number {
  return Date.parse(metadata.creationTimestamp ?? "") || 0;
}

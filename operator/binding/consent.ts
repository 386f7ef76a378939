/**
 * Which SenderDomain a relay serves: it must consent to the namespace and the domain, and of two that bring the same
 * domain the older one has it. Pure.
 */
import type { Tenant } from "../../api/fields/tenants.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import { nameOf } from "../kube/kube.ts";
import type { ObjectMeta, Stored } from "../kube/objects.ts";
import { type Labels, matchesAsFarAsKnown, matchesSelector, namespaceNameLabel } from "../kube/selector.ts";

export type Consent =
  /** By this entry of the relay's tenants, the first of those that admit it with what it asks. */
  | { readonly kind: "given"; readonly tenant: Tenant }
  | {
      readonly kind: "refused";
      readonly reason: "NamespaceNotAllowed" | "DomainNotAllowed" | "SmarthostsNotAllowed";
      readonly message: string;
    }
  /** The operator may not see the labels that decide: what the pods have of the domain stays. */
  | { readonly kind: "unknown" };

export interface ConsentQuestion {
  readonly relay: Stored<MailRelay>;
  readonly domain: {
    readonly metadata: Pick<ObjectMeta, "namespace">;
    /** Of one that is not seen the ways out are not known: they are as they were. */
    readonly spec: Pick<SenderDomain["spec"], "domain"> & Partial<Pick<SenderDomain["spec"], "smarthosts">>;
  };
  /** Undefined where the operator may not see them. */
  readonly namespaceLabels: Labels | undefined;
}

export function refersTo(domain: Stored<SenderDomain>, relay: Stored<MailRelay>): boolean {
  const { name, namespace } = domain.spec.relayRef;
  return name === relay.metadata.name && (namespace ?? domain.metadata.namespace) === relay.metadata.namespace;
}

/** Of the entries of `tenants` that admit the namespace, any may admit the domain, and any may allow more than sending. */
export function judgeConsent(question: ConsentQuestion): Consent {
  const { relay, domain, namespaceLabels } = question;
  const { namespace } = domain.metadata;
  const welcomes = relay.spec.tenants.flatMap((tenant): readonly Welcome[] => {
    const isKnown = admits(tenant, { own: relay.metadata.namespace, namespace, labels: namespaceLabels });
    return isKnown === false ? [] : [{ tenant, isKnown: isKnown === true }];
  });
  const relayName = nameOf(relay.metadata);
  if (welcomes.length === 0) {
    const message =
      `MailRelay ${relayName} does not admit namespace ${namespace}: its owner can add an entry to spec.tenants, ` +
      `for example {name: ${namespace}, namespaces: {from: Names, names: [${namespace}]}}`;
    return { kind: "refused", reason: "NamespaceNotAllowed", message };
  }
  const wanted = domain.spec.domain;
  const fitting = welcomes.filter(
    ({ tenant: { domains } }) => domains === undefined || domains.some((pattern) => matchesDomain(pattern, wanted)),
  );
  if (fitting.length === 0) {
    const names = welcomes.map(({ tenant }) => tenant.name).join(", ");
    const message =
      `MailRelay ${relayName} does not admit ${wanted}: its owner can add it to domains of the entry ${names} ` +
      `of spec.tenants`;
    return { kind: "refused", reason: "DomainNotAllowed", message };
  }
  const hasWaysOfItsOwn = (domain.spec.smarthosts ?? []).length > 0;
  const allowed = fitting.filter(({ tenant }) => tenant.may?.includes("Smarthosts") === true);
  if (hasWaysOfItsOwn && allowed.length === 0) {
    const message =
      `spec.smarthosts: MailRelay ${relayName} lets the domain send by the relay's own way alone: remove them, or its ` +
      `owner adds may: [Smarthosts] to the entry ${fitting[0]?.tenant.name} of spec.tenants`;
    return { kind: "refused", reason: "SmarthostsNotAllowed", message };
  }
  const deciding = hasWaysOfItsOwn ? allowed : fitting;
  const giving = deciding.find(({ isKnown }) => isKnown);
  return giving === undefined ? { kind: "unknown" } : { kind: "given", tenant: giving.tenant };
}

interface Welcome {
  readonly tenant: Tenant;
  /** False where it hangs on labels that the operator may not see. */
  readonly isKnown: boolean;
}

interface Guest {
  /** Namespace of the relay. */
  readonly own: string;
  readonly namespace: string;
  readonly labels: Labels | undefined;
}

/** Undefined where it cannot be told. */
function admits({ namespaces }: Tenant, { own, namespace, labels }: Guest): boolean | undefined {
  switch (namespaces.from) {
    case "Same":
      return namespace === own;
    case "All":
      return true;
    case "Names":
      return namespaces.names?.includes(namespace) === true;
    case "Selector": {
      const selector = namespaces.selector ?? {};
      return labels === undefined
        ? matchesAsFarAsKnown(selector, { [namespaceNameLabel]: namespace })
        : matchesSelector(selector, labels);
    }
  }
}

/** Whether it takes more than the names of namespaces to tell which ones are admitted. */
export function needsNamespaceLabels(tenants: readonly Tenant[]): boolean {
  return tenants.some(({ namespaces: { from, selector = {} } }) => {
    if (from !== "Selector") return false;
    const keys = [
      ...Object.keys(selector.matchLabels ?? {}),
      ...(selector.matchExpressions ?? []).map((requirement) => requirement.key),
    ];
    return keys.some((key) => key !== namespaceNameLabel);
  });
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

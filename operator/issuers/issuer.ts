/**
 * Who issues tokens that log in at a relay, as far as it is known: what the documents say of each, and what is to be said of those that
 * cannot be read. Pure.
 *
 * Keys that were read once stay in force while an issuer is away: its tokens go on being good, and a restart of the operator finds them
 * in what the pods have.
 */
import type { RelayDocument, TokenIssuerDocument } from "../../api/relayconfig.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { TokenKey } from "../../api/identity/tokenkey.ts";
import type { Installation } from "../installation/installation.ts";

export interface IssuerKeys {
  readonly issuer: string;
  readonly keys: readonly TokenKey[];
}

/** What is known of one issuer. */
export interface IssuerFact {
  /** As read last. */
  readonly found: IssuerKeys | undefined;
  /** Why the last reading gave nothing; undefined when it did, and before the first has ended. */
  readonly failure: IssuerFailure | undefined;
  /** A reading is under way: its end is worth a look. */
  readonly isReading: boolean;
}

export type IssuerFailure =
  /** RBAC does not allow the operator to ask the API server. */
  | { readonly kind: "forbidden" }
  /** There is no API server that issues tokens: local mode. */
  | { readonly kind: "none" }
  | { readonly kind: "unreadable"; readonly why: string };

/** Of one relay. */
export interface IssuerFacts {
  /** Of the cluster's ServiceAccounts; undefined where nobody asks for them. */
  readonly cluster: IssuerFact | undefined;
  /** By name of the entry. */
  readonly oidc: ReadonlyMap<string, IssuerFact>;
}

export const noIssuers: IssuerFacts = { cluster: undefined, oidc: new Map() };

/** What the pods have now. */
type Mounted = Pick<RelayDocument, "tokenIssuers"> | undefined;

type Identities = MailRelay["spec"]["identities"];

export function tokenIssuersOf(
  identities: Identities,
  facts: IssuerFacts,
  mounted: Mounted,
): Pick<RelayDocument, "tokenIssuers"> {
  const issuers: TokenIssuerDocument[] = [];
  const { serviceAccounts, oidc } = identities;
  if (serviceAccounts !== undefined) {
    const known = facts.cluster?.found ?? mountedKeys(mounted, undefined);
    const { issuer, keys = [] } = known ?? {};
    const named = issuer === undefined ? {} : { issuer };
    issuers.push({ kind: "ServiceAccounts", ...named, audience: serviceAccounts.audience, keys: [...keys] });
  }
  for (const entry of oidc) {
    const { name, issuer, audience, usernameClaim, groupsClaim } = entry;
    const keys = keysOf(entry, facts, mounted);
    const groups = groupsClaim === undefined ? {} : { groupsClaim };
    issuers.push({ kind: "OIDC", name, issuer, audience, usernameClaim, ...groups, keys: [...keys] });
  }
  return issuers.length === 0 ? {} : { tokenIssuers: issuers };
}

function keysOf(
  { name, issuer }: Identities["oidc"][number],
  facts: IssuerFacts,
  mounted: Mounted,
): readonly TokenKey[] {
  return (facts.oidc.get(name)?.found ?? mountedKeys(mounted, issuer))?.keys ?? [];
}

/** `issuer` undefined: the cluster's own. */
function mountedKeys(mounted: Mounted, issuer: string | undefined): IssuerKeys | undefined {
  const entry = (mounted?.tokenIssuers ?? []).find((one) =>
    issuer === undefined ? one.kind === "ServiceAccounts" : one.kind === "OIDC" && one.issuer === issuer,
  );
  return entry?.issuer === undefined || entry.keys.length === 0
    ? undefined
    : { issuer: entry.issuer, keys: entry.keys };
}

export interface IssuerRemark {
  /** The field, what is wrong, what to do. */
  readonly message: string;
  /** Nobody logs in with its tokens: no keys are known. */
  readonly isWithoutKeys: boolean;
}

/** Stands where references that cannot be followed do. */
export interface IssuerProblem {
  readonly kind: "invalid";
  readonly object: "Issuer";
  readonly field: string;
  readonly message: string;
}

export interface RemarkQuestion {
  readonly identities: Identities;
  readonly facts: IssuerFacts;
  readonly mounted: Mounted;
  readonly installation: Pick<Installation, "namespace" | "serviceAccount">;
}

/** Issuers that could not be read, in the order of the spec. */
export function issuerRemarks({ identities, facts, mounted, installation }: RemarkQuestion): readonly IssuerRemark[] {
  const remarks: IssuerRemark[] = [];
  const failure = facts.cluster?.failure;
  if (failure !== undefined) {
    const isWithoutKeys = (facts.cluster?.found ?? mountedKeys(mounted, undefined)) === undefined;
    const why = `spec.identities.serviceAccounts: ${clusterText(failure, installation)}`;
    remarks.push({ message: why + stays(isWithoutKeys), isWithoutKeys: isWithoutKeys && failure.kind !== "none" });
  }
  identities.oidc.forEach((entry, index) => {
    const unread = facts.oidc.get(entry.name)?.failure;
    if (unread?.kind !== "unreadable") return;
    const isWithoutKeys = keysOf(entry, facts, mounted).length === 0;
    const message = `spec.identities.oidc[${index}].issuer: ${entry.issuer} cannot be read: ${unread.why}`;
    remarks.push({ message: message + stays(isWithoutKeys), isWithoutKeys });
  });
  return remarks;
}

function stays(isWithoutKeys: boolean): string {
  return isWithoutKeys
    ? "; nobody logs in with its tokens until then"
    : "; the keys that were read before stay in force";
}

/** Kubernetes gives the right to every ServiceAccount by this ClusterRole, unless somebody takes it away. */
const discoveryRole = "system:service-account-issuer-discovery";

function clusterText(failure: IssuerFailure, { namespace, serviceAccount }: RemarkQuestion["installation"]): string {
  switch (failure.kind) {
    case "none":
      return "there is no cluster here that issues tokens of ServiceAccounts";
    case "forbidden":
      return (
        `the operator may not read the keys of the cluster's tokens; whoever runs it can allow that: ` +
        `kubectl create clusterrolebinding mailboat-token-keys --clusterrole ${discoveryRole} ` +
        `--serviceaccount ${namespace}:${serviceAccount}`
      );
    case "unreadable":
      return `the keys of the cluster's tokens cannot be read: ${failure.why}`;
  }
}

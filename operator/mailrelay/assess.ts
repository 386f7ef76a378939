/**
 * Judges one MailRelay: each check is a function from the world to one condition. Pure; a mistake of a person is a
 * finding that names the field and what to do, never an exception. What the pods run is judged in programmed.ts,
 * after the plan has said what they should run.
 */
import type { Judgement } from "../../api/condition.ts";
import { managedByLabel } from "../../api/labels.ts";
import { unusedFields } from "../../api/notyet.ts";
import type { Fault } from "../../api/fault/explain.ts";
import type { MailRelayConditionType, MailRelayReason } from "../../api/status/mailrelay.ts";
import { secretText } from "../kube/secret.ts";
import { needsNamespaceLabels } from "../binding/consent.ts";
import type { LoginEnds } from "../credentials/logins.ts";
import { type CertificateReading, coversHost, readCertificate } from "../trust/certificate.ts";
import { isMarked } from "../trust/clientauthority.ts";
import { authorityField, keysInVain, unusableAuthorityKey } from "../trust/trust.ts";
import { lostContests } from "../binding/rivals.ts";
import {
  authoritySecretName,
  certificateSecretName,
  configurationSecretName,
  issuedSecretName,
  peerSecretName,
} from "../owned/names.ts";
import { namespacesGrant } from "../installation/rights.ts";
import { issuerRemarksOn, type RelayProblem } from "./document.ts";
import { type Rollout, waitsForTurn } from "./rollout/rollout.ts";
import { storageProblem } from "./scale/volumes.ts";
import { unseenText } from "./unseen/documents.ts";
import type { RelayWorld } from "./world.ts";
import { forbiddenProblem, reasonOf, type ReferenceProblem } from "../references/problem.ts";
import { type Rejection, rejectionText } from "../work/rejection.ts";

export interface RelayFinding extends Judgement {
  readonly type: MailRelayConditionType;
  readonly reason: MailRelayReason;
}

interface RelayRemark {
  readonly reason: MailRelayReason;
  readonly message: string;
}

const dayMs = 86_400_000;

export function judgeAccepted(world: RelayWorld, rollout?: Rollout): RelayFinding {
  const { rejections } = world;
  const [lost] = lostContests(world.relay.metadata.name, world.contests);
  if (lost !== undefined) {
    const message =
      `metadata.name: ${lost.kind} ${lost.name} belongs to MailRelay ${lost.rival}, and nothing is made for this one: ` +
      `give it another name`;
    return finding("Accepted", "False", "Invalid", message);
  }
  if (rejections.some(({ isSpare }) => isSpare !== true)) {
    return finding("Accepted", "False", "Invalid", rejections.map((one) => refusalText(world, one)).join("; "));
  }
  const remarks = [...remarksOn(world), ...rolloutRemarks(world, rollout)];
  const first = remarks[0];
  if (first === undefined) return finding("Accepted", "True", "Accepted", "the spec is valid");
  // One reason, and a message that leaves nothing out: the second remark is as true as the first.
  return finding("Accepted", "True", first.reason, remarks.map((remark) => remark.message).join("; "));
}

/** An authority that was brought back from a copy lacks the label by which a cluster knows it for the operator's. */
function refusalText({ authority, installation }: RelayWorld, rejection: Rejection): string {
  const text = rejectionText(rejection);
  if (rejection.field !== authorityField || authority === undefined || isMarked(authority)) return text;
  const command = `kubectl label secret ${authoritySecretName} --namespace ${installation.namespace} ${managedByLabel}=mailboat-operator`;
  return `${text}; while it is valid it signs as it is; if it is the operator's own, have it renewed: ${command}`;
}

/** What is to be said of a spec that is valid; the weightiest first. */
function remarksOn(world: RelayWorld): readonly RelayRemark[] {
  const { relay } = world;
  const remarks: RelayRemark[] = [];
  if (relay.spec.paused) {
    remarks.push({ reason: "Paused", message: "spec.paused is true: only status is written until it is false" });
  }
  const unsent = whyUnsent(relay);
  if (unsent !== undefined) remarks.push({ reason: "MailCaptured", message: unsent });
  const storage = storageProblem(world);
  if (storage !== undefined) remarks.push({ reason: "StorageNotChanged", message: storage });
  const unseen = unseenText(world);
  if (unseen !== undefined) remarks.push({ reason: "DomainsNotSeen", message: unseen });
  const { tenants } = relay.spec;
  if (world.areNamespacesHidden && needsNamespaceLabels(tenants)) {
    const message =
      `spec.tenants: which namespaces a selector matches is not known, and no SenderDomain of another ` +
      `namespace is taken or changed: ${namespacesGrant(world.installation)}`;
    remarks.push({ reason: "NamespacesForbidden", message });
  }
  const open = tenants.findIndex(({ namespaces, domains }) => namespaces.from === "All" && domains === undefined);
  if (open >= 0) {
    const message =
      `spec.tenants[${open}] admits every namespace with any domain: list its domains, ` +
      `so that none can take another's`;
    remarks.push({ reason: "AnyDomainAllowed", message });
  }
  const [spare] = world.rejections;
  if (spare !== undefined) {
    const message = `${rejectionText(spare)}; mail goes on, and Prometheus does not find these pods until it is taken`;
    remarks.push({ reason: "NotMonitored", message });
  }
  for (const { message, isWithoutKeys } of issuerRemarksOn(world)) {
    if (!isWithoutKeys) remarks.push({ reason: "IssuerUnreadable", message });
  }
  for (const fault of unusedIn(relay)) {
    remarks.push({ reason: "NotActedOnYet", message: `${fault.path} ${fault.message}` });
  }
  return remarks;
}

function rolloutRemarks(world: RelayWorld, rollout: Rollout | undefined): readonly RelayRemark[] {
  if (rollout === undefined || !waitsForTurn(world, rollout)) return [];
  const message =
    "the pods go on as they are; this operator's template replaces them once fewer relays replace theirs (its --max-rollouts); " +
    "a relay of which no new pod becomes ready counts until it is mended or paused";
  return [{ reason: "RolloutPending", message }];
}

function unusedIn(relay: RelayWorld["relay"]): readonly Fault[] {
  const { name, namespace } = relay.metadata;
  return unusedFields({ ...relay, metadata: { name, namespace } });
}

/** Why not all that is taken is sent, as a message that continues "mail is taken, but"; undefined when it is sent. */
export function whyUnsent({ spec }: Pick<RelayWorld["relay"], "spec">): string | undefined {
  const { mode, allowRecipients } = spec.delivery;
  const kept = "is captured in the spools, for people to read";
  switch (mode) {
    case "Send":
      return undefined;
    case "Capture":
      return `spec.delivery.mode is Capture: nothing leaves, all of it ${kept}`;
    case "AllowList":
      return `spec.delivery.mode is AllowList: only what is for ${allowedText(allowRecipients)} leaves, the rest ${kept}`;
  }
}

const namedRecipients = 3;

function allowedText(patterns: readonly string[]): string {
  const others = patterns.length - namedRecipients;
  const named = patterns.slice(0, namedRecipients).join(", ");
  return others > 0 ? `${named} and ${others} more of allowRecipients` : named;
}

/** `problems` are those of credentials and smarthosts; the certificate has a condition of its own, but for rights. */
export function judgeReferences(problems: readonly RelayProblem[], ends?: LoginEnds): RelayFinding {
  const first = problems[0];
  const { ended = [], ending = [] } = ends ?? {};
  const remarks = [...ended, ...ending].join("; ");
  if (first === undefined) {
    if (ended.length > 0) return finding("ResolvedRefs", "True", "Expired", remarks);
    if (ending.length > 0) return finding("ResolvedRefs", "True", "Expiring", remarks);
    return finding("ResolvedRefs", "True", "ResolvedRefs", "all that the spec names is there and usable");
  }
  // A missing right comes first: what is behind it cannot even be judged.
  const isForbidden = problems.some((problem) => problem.kind === "forbidden");
  const [weightiest = first] = isForbidden ? problems.filter((problem) => problem.kind === "forbidden") : problems;
  const messages = new Set([...problems.map((problem) => problem.message), ...ended, ...ending]);
  const reason = weightiest.object === "Issuer" ? "IssuerUnreadable" : reasonOf(weightiest);
  return finding("ResolvedRefs", "False", reason, [...messages].join("; "));
}

/** Reads that RBAC does not allow beside those of what the spec refers to: what the operator keeps. */
export function forbiddenReads(world: RelayWorld): readonly ReferenceProblem[] {
  const { relay, installation } = world;
  const { namespace } = relay.metadata;
  const problems: ReferenceProblem[] = [];
  if (world.isOwnForbidden) {
    problems.push(forbiddenProblem({ field: "metadata", namespace: installation.namespace, installation }));
  }
  if (isBlindIn(world)) problems.push(forbiddenProblem({ field: "metadata.namespace", namespace, installation }));
  return problems;
}

/** Without its own Secrets the operator cannot know what the pods have: it then changes nothing. */
export function isBlind(world: RelayWorld): boolean {
  return world.isOwnForbidden || isBlindIn(world);
}

/** In the relay's namespace. */
function isBlindIn(world: RelayWorld): boolean {
  const { name } = world.relay.metadata;
  const own = [configurationSecretName(name), certificateSecretName(name), peerSecretName(name)];
  return own.some((secret) => world.forbidden.has(secret));
}

export function judgeCertificate(world: RelayWorld): RelayFinding {
  const { tls, hostname } = world.relay.spec;
  if (tls.secretRef !== undefined) {
    if (world.forbidden.has(tls.secretRef.name)) {
      const { namespace } = world.relay.metadata;
      const { message } = forbiddenProblem({
        field: "spec.tls.secretRef",
        namespace,
        installation: world.installation,
      });
      return finding("CertificateReady", "False", "SecretsForbidden", message);
    }
    const field = `spec.tls.secretRef: Secret ${tls.secretRef.name}`;
    const secret = world.secrets.get(tls.secretRef.name);
    if (secret === undefined) {
      const message = `${field} does not exist: create it with type kubernetes.io/tls`;
      return finding("CertificateReady", "False", "SecretNotFound", message);
    }
    const reading = readCertificate(secretText(secret, "tls.crt"), secretText(secret, "tls.key"));
    return judgeReading(reading, { field, hostname, now: world.now });
  }
  if (tls.certManager !== undefined) return judgeIssuance(world);
  const own = world.certificate;
  const reading = readCertificate(secretText(own, "tls.crt"), secretText(own, "tls.key"));
  const isUsable = reading.kind === "usable" && reading.fact.notAfter > world.now;
  const unusable = unusableAuthorityText(world);
  if (!isUsable && unusable !== undefined) return finding("CertificateReady", "False", "SecretInvalid", unusable);
  if (own === undefined) return finding("CertificateReady", "False", "Pending", "our authority is about to issue it");
  if (!isUsable) return finding("CertificateReady", "False", "Pending", "our authority is about to issue it anew");
  const name = certificateSecretName(world.relay.metadata.name);
  const unsigned = unusable === undefined ? inVainText(world) : `; it is not renewed: ${unusable}`;
  const message = `issued by our own authority; clients find it as ca.crt in ${name}${unsigned}`;
  return finding("CertificateReady", "True", "Issued", message);
}

/** What is wrong with an authority that a person gave; undefined where it can sign. */
function unusableAuthorityText(world: RelayWorld): string | undefined {
  const kind = unusableAuthorityKey(world);
  if (kind === undefined) return undefined;
  const where = `Secret ${world.installation.namespace}/${authoritySecretName}`;
  return (
    `${authorityField}: the authority in ${where} has a key of a kind that signs no certificate here (${kind}): ` +
    `put one there with an ECDSA key (P-256, P-384, P-521) or an RSA key, or use secretRef or certManager`
  );
}

/** Continues what is said of a certificate that the manifest asked for in another kind; empty where it got what it asked for. */
function inVainText(world: RelayWorld): string {
  const keys = keysInVain(world);
  if (keys.length === 0) return "";
  const where = `Secret ${world.installation.namespace}/${authoritySecretName}`;
  const remedy = keys.includes("RSA") ? "put one there as rsa.crt and rsa.key" : "put one there as tls.crt and tls.key";
  return `; ${authorityField}.algorithms asks for ${keys.join(", ")}, and the authority in ${where} has no such key: ${remedy}, or ask for another`;
}

/** What cert-manager made of our request. An issued certificate stays in force while a renewal has trouble. */
function judgeIssuance(world: RelayWorld): RelayFinding {
  const { hostname } = world.relay.spec;
  const { name } = world.relay.metadata;
  const doubt = world.doubts.get("Certificate");
  if (!world.kinds.has("Certificate") && doubt === undefined) {
    const message =
      "spec.tls.certManager: the cluster has no cert-manager (kind Certificate of cert-manager.io is unknown): " +
      "install it, or use secretRef or selfSigned";
    return finding("CertificateReady", "False", "CertManagerNotInstalled", message);
  }
  const secret = world.secrets.get(issuedSecretName(name));
  if (secret !== undefined) {
    const reading = readCertificate(secretText(secret, "tls.crt"), secretText(secret, "tls.key"));
    const field = `spec.tls.certManager: Secret ${issuedSecretName(name)} of Certificate ${name}`;
    return judgeReading(reading, { field, hostname, now: world.now });
  }
  if (doubt === "forbidden") {
    const { namespace } = world.relay.metadata;
    const message =
      `spec.tls.certManager: the operator may not list Certificates of cert-manager.io in namespace ${namespace}: ` +
      `give its account the chart's rights to them, or use secretRef or selfSigned`;
    return finding("CertificateReady", "False", "CertificatesForbidden", message);
  }
  if (doubt === "unanswered") {
    const message = "spec.tls.certManager: the cluster has not said yet whether it has cert-manager; it is asked again";
    return finding("CertificateReady", "False", "Pending", message);
  }
  const said = world.issuance?.status?.conditions?.find((one) => one.type === "Ready" && one.status !== "True");
  const why = said?.message === undefined ? "" : ` cert-manager says: ${said.message}`;
  const message = `spec.tls.certManager: Certificate ${name} is not issued yet;${why === "" ? " cert-manager has not answered" : why}`;
  return finding("CertificateReady", "False", "Pending", message);
}

interface CertificateQuestion {
  readonly field: string;
  readonly hostname: string;
  readonly now: number;
}

function judgeReading(reading: CertificateReading, question: CertificateQuestion): RelayFinding {
  const { field, hostname, now } = question;
  if (reading.kind !== "usable") {
    const why = reading.kind === "invalid" ? reading.why : "it is empty";
    return finding("CertificateReady", "False", "SecretInvalid", `${field}: ${why}: correct the Secret`);
  }
  const { notBefore, notAfter, names } = reading.fact;
  const end = new Date(notAfter).toISOString();
  if (now >= notAfter || now < notBefore) {
    const message = `${field}: the certificate is valid from ${new Date(notBefore).toISOString()} to ${end}: renew it`;
    return finding("CertificateReady", "False", "Expired", message);
  }
  if (!names.some((name) => coversHost(name, hostname))) {
    const message = `${field}: the certificate is for ${names.join(", ")}, not for spec.hostname ${hostname}: renew it with this name`;
    return finding("CertificateReady", "False", "NameMismatch", message);
  }
  // A tenth of its life or a week, whichever is less: a certificate that lives a day is not expiring all the time.
  if (notAfter - now < Math.min((notAfter - notBefore) / 10, 7 * dayMs)) {
    return finding("CertificateReady", "True", "Expiring", `${field}: the certificate expires ${end}: renew it`);
  }
  return finding("CertificateReady", "True", "Valid", `${field} is valid until ${end}`);
}

export function finding(
  type: MailRelayConditionType,
  status: RelayFinding["status"],
  ...[reason, message]: readonly [MailRelayReason, string]
): RelayFinding {
  return { type, status, reason, message };
}

/** Everything that does not depend on what the pods run. */
export function assessRelay(
  world: RelayWorld,
  problems: readonly RelayProblem[],
  rollout?: Rollout,
): readonly RelayFinding[] {
  return [
    judgeAccepted(world, rollout),
    judgeReferences([...problems, ...forbiddenReads(world)], world.credentials.ends),
    judgeCertificate(world),
  ];
}

/**
 * Whether anybody can use a domain. Ready is a promise: a domain whose senders are all of a kind that lets nobody in, for want of a
 * Secret, of a listener, or of this version's doing, is not ready. Pure.
 */
import { unusedFields } from "../../api/notyet.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import { nameOf } from "../kube/kube.ts";
import type { DomainWorld } from "./world.ts";

export interface SendersJudgement {
  readonly canAnybodySend: boolean;
  /** What is wrong with senders that would have worked; each names its field. */
  readonly troubles: readonly string[];
  /** Logins that will end soon; each names its field. */
  readonly ending: readonly string[];
  /** Fields, also others than senders, that this version does not act on. */
  readonly unused: readonly string[];
}

export function judgeSenders(world: DomainWorld): SendersJudgement {
  const { domain, relay, credentials } = world;
  const { name, namespace } = domain.metadata;
  const faults = unusedFields({ ...domain, metadata: { name, namespace } });
  const listeners = relay?.spec.listeners ?? [];
  const tokens = judgeTokens(world);
  const hasLogin = credentials.documents.length > 0 || tokens.areSome;
  const mayLogIn = hasLogin && (relay === undefined || listeners.some(takesLogins));
  const trusting = domain.spec.senders.findIndex((sender) => sender.trustedNetworks === true);
  const mayBeTrusted = trusting >= 0 && (relay === undefined || listeners.some(trustsSomebody));
  const { ended = [], ending = [] } = credentials.ends ?? {};
  const troubles = [...credentials.problems.map((problem) => problem.message), ...ended, ...tokens.troubles];
  if (relay !== undefined && trusting >= 0 && !mayBeTrusted) {
    const lacks = `MailRelay ${nameOf(relay.metadata)} has no listener with authentication Optional and trustedNetworks`;
    troubles.push(`spec.senders[${trusting}].trustedNetworks: ${lacks}: its owner can add one, or use credentials`);
  }
  if (relay !== undefined && hasLogin && !mayLogIn) {
    const lacks = `MailRelay ${nameOf(relay.metadata)} has no listener with TLS, and logins are taken inside TLS alone`;
    troubles.push(`spec.senders: ${lacks}: its owner can set tlsMode of one to StartTLS or Implicit`);
  }
  const certified = domain.spec.senders.findIndex((sender) => sender.clientCertificates !== undefined);
  const mayShowOne = certified >= 0 && (relay === undefined || listeners.some(asksForCertificates));
  if (relay !== undefined && certified >= 0 && !mayShowOne) {
    const lacks = `MailRelay ${nameOf(relay.metadata)} has no listener that asks for certificates`;
    const remedy = "its owner can set clientCertificates of one to Optional or Required";
    troubles.push(`spec.senders[${certified}].clientCertificates: ${lacks}: ${remedy}, or use credentials`);
  }
  return {
    canAnybodySend: mayLogIn || mayBeTrusted || mayShowOne,
    troubles,
    ending,
    unused: faults.map(({ path, message }) => `${path} ${message}`),
  };
}

/** Senders that log in with tokens, which the relay has to take. */
function judgeTokens({ domain, relay }: DomainWorld): {
  readonly areSome: boolean;
  readonly troubles: readonly string[];
} {
  if (relay === undefined) {
    const areSome = domain.spec.senders.some(({ serviceAccounts, oidc }) => (serviceAccounts ?? oidc) !== undefined);
    return { areSome, troubles: [] };
  }
  const { identities } = relay.spec;
  const its = `MailRelay ${nameOf(relay.metadata)}`;
  let areSome = false;
  const troubles: string[] = [];
  domain.spec.senders.forEach(({ serviceAccounts, oidc = [] }, index) => {
    const field = `spec.senders[${index}]`;
    if (serviceAccounts !== undefined && identities.serviceAccounts === undefined) {
      const lacks = `${its} takes no tokens of ServiceAccounts: its owner can set spec.identities.serviceAccounts`;
      troubles.push(`${field}.serviceAccounts: ${lacks}`);
    } else if (serviceAccounts !== undefined) areSome = true;
    oidc.forEach(({ issuer, users, groups }, place) => {
      const entry = identities.oidc.find(({ name }) => name === issuer);
      const at = `${field}.oidc[${place}]`;
      if (entry === undefined) {
        troubles.push(`${at}.issuer: ${its} has no entry ${issuer} in spec.identities.oidc: correct the name`);
      } else if (groups !== undefined && entry.groupsClaim === undefined) {
        const lacks = `${its} knows no groups of ${issuer}: its owner can set groupsClaim of that entry`;
        troubles.push(`${at}.groups: ${lacks}`);
        areSome ||= users !== undefined;
      } else areSome = true;
    });
  });
  return { areSome, troubles };
}

/** Undefined where somebody can use the domain. */
export function whyNobodySends(world: DomainWorld): string | undefined {
  const { canAnybodySend, troubles, unused } = judgeSenders(world);
  if (canAnybodySend) return undefined;
  const senders = unused.filter((text) => text.startsWith("spec.senders"));
  return [...troubles, ...senders].join("; ");
}

type Listener = MailRelay["spec"]["listeners"][number];

/** RFC 4954 section 4: AUTH is offered inside TLS alone. */
function takesLogins({ tlsMode }: Listener): boolean {
  return tlsMode !== "None";
}

function asksForCertificates({ clientCertificates = "None" }: Listener): boolean {
  return clientCertificates !== "None";
}

function trustsSomebody({ authentication, trustedNetworks }: Listener): boolean {
  return authentication === "Optional" && trustedNetworks.length > 0;
}

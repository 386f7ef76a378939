/** Smarthosts as relays need them: credentials and authorities inlined, local names replaced by addresses. Pure. */
import type { SmarthostDocument } from "../../api/relayconfig.ts";
import type { AuthorityReference } from "../../api/schema/reference.ts";
import type { Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { readAuthorities } from "./certificate.ts";
import { type Login, readLogin } from "./login/login.ts";
import { forbiddenProblem } from "./rights.ts";
import type { Place, ReferenceProblem } from "./world.ts";

/** A smarthost as manifests spell it. */
export interface SmarthostSpec {
  readonly host: string;
  readonly port: number;
  readonly tlsMode: SmarthostDocument["tlsMode"];
  readonly credentialsRef?: { readonly name: string } | undefined;
  readonly caRef?: AuthorityReference | undefined;
}

export interface SmarthostQuestion {
  readonly smarthosts: readonly SmarthostSpec[];
  /** Path of the list, for example `spec.delivery.smarthosts`. */
  readonly field: string;
  /** Namespace of the Secrets. */
  readonly namespace: string;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Names of those that may not be read. */
  readonly forbidden: ReadonlySet<string>;
  readonly place: Place;
  readonly now: number;
}

export interface ResolvedSmarthosts {
  readonly documents: readonly SmarthostDocument[];
  readonly problems: readonly ReferenceProblem[];
}

/** Names of the Secrets that smarthosts refer to. */
export function smarthostSecretNames(smarthosts: readonly SmarthostSpec[]): readonly string[] {
  return smarthosts.flatMap((smarthost) =>
    [smarthost.credentialsRef?.name, smarthost.caRef?.name].filter((name) => name !== undefined),
  );
}

export function resolveSmarthosts(question: SmarthostQuestion): ResolvedSmarthosts {
  const documents: SmarthostDocument[] = [];
  const problems: ReferenceProblem[] = [];
  question.smarthosts.forEach((smarthost, index) => {
    const field = `${question.field}[${index}]`;
    const login = loginOf({ ...question, field, smarthost, member: "credentialsRef" });
    const ca = authorityOf({ ...question, field, smarthost, member: "caRef" });
    problems.push(...[login.problem, ca.problem].filter((problem) => problem !== undefined));
    const { addressBook } = question.place;
    const { host, port } = smarthost;
    const address = addressBook.get(`${host}:${port}`) ?? addressBook.get(host) ?? smarthost;
    documents.push({
      host: address.host,
      port: address.port,
      tlsMode: smarthost.tlsMode,
      ...(login.value === undefined ? {} : { credentials: login.value }),
      ...(ca.value === undefined ? {} : { ca: ca.value }),
    });
  });
  return { documents, problems };
}

interface Referral extends Omit<SmarthostQuestion, "smarthosts"> {
  readonly smarthost: SmarthostSpec;
  readonly member: "credentialsRef" | "caRef";
}

interface Found<T> {
  readonly value?: T;
  readonly problem?: ReferenceProblem;
}

function loginOf(referral: Referral): Found<Login> {
  return referred(referral, (secret) => {
    const reading = readLogin(secret);
    return reading.kind === "usable" ? { value: reading.login } : { why: `: ${reading.why}` };
  });
}

function authorityOf(referral: Referral): Found<string> {
  return referred(referral, (secret) => {
    const key = referral.smarthost.caRef?.key ?? "ca.crt";
    const reading = readAuthorities(secretText(secret, key), referral.now, key);
    return reading.kind === "usable" ? { value: reading.pem } : { why: ` ${reading.why}` };
  });
}

function referred<T>(
  referral: Referral,
  read: (secret: Secret) => { readonly value: T } | { readonly why: string },
): Found<T> {
  const name = referral.smarthost[referral.member]?.name;
  if (name === undefined) return {};
  const field = `${referral.field}.${referral.member}`;
  const { namespace, place } = referral;
  if (referral.forbidden.has(name)) return { problem: forbiddenProblem({ field, namespace, place }) };
  const secret = referral.secrets.get(name);
  if (secret === undefined) {
    const message = `${field}: Secret ${name} does not exist: create it or correct the name`;
    return { problem: { kind: "missing", field, message } };
  }
  const found = read(secret);
  if ("value" in found) return found;
  return { problem: { kind: "invalid", field, message: `${field}: Secret ${name}${found.why}` } };
}

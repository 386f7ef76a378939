/** Smarthosts as relays need them: credentials and authorities inlined, local names replaced by addresses. Pure. */
import type { SmarthostDocument } from "../../api/relayconfig.ts";
import type { Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { forbiddenProblem } from "./rights.ts";
import type { Place, ReferenceProblem } from "./world.ts";

/** A smarthost as manifests spell it. */
export interface SmarthostSpec {
  readonly host: string;
  readonly port: number;
  readonly tlsMode: SmarthostDocument["tlsMode"];
  readonly credentialsSecretName?: string | undefined;
  readonly caSecretName?: string | undefined;
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
}

export interface ResolvedSmarthosts {
  readonly documents: readonly SmarthostDocument[];
  readonly problems: readonly ReferenceProblem[];
}

/** Names of the Secrets that smarthosts refer to. */
export function smarthostSecretNames(smarthosts: readonly SmarthostSpec[]): readonly string[] {
  return smarthosts.flatMap((smarthost) =>
    [smarthost.credentialsSecretName, smarthost.caSecretName].filter((name) => name !== undefined),
  );
}

export function resolveSmarthosts(question: SmarthostQuestion): ResolvedSmarthosts {
  const documents: SmarthostDocument[] = [];
  const problems: ReferenceProblem[] = [];
  question.smarthosts.forEach((smarthost, index) => {
    const field = `${question.field}[${index}]`;
    const username = referred({ ...question, field, smarthost, member: "credentialsSecretName", key: "username" });
    const password = referred({ ...question, field, smarthost, member: "credentialsSecretName", key: "password" });
    const ca = referred({ ...question, field, smarthost, member: "caSecretName", key: "ca.crt" });
    const problem = username.problem ?? password.problem;
    if (problem !== undefined) problems.push(problem);
    if (ca.problem !== undefined) problems.push(ca.problem);
    const { addressBook } = question.place;
    const { host, port } = smarthost;
    const address = addressBook.get(`${host}:${port}`) ?? addressBook.get(host) ?? smarthost;
    documents.push({
      host: address.host,
      port: address.port,
      tlsMode: smarthost.tlsMode,
      ...(username.text === undefined || password.text === undefined
        ? {}
        : { credentials: { username: username.text, password: password.text } }),
      ...(ca.text === undefined ? {} : { ca: ca.text }),
    });
  });
  return { documents, problems };
}

interface Referral extends Omit<SmarthostQuestion, "smarthosts"> {
  readonly smarthost: SmarthostSpec;
  readonly member: "credentialsSecretName" | "caSecretName";
  readonly key: string;
}

function referred(referral: Referral): { readonly text?: string; readonly problem?: ReferenceProblem } {
  const name = referral.smarthost[referral.member];
  if (name === undefined) return {};
  const field = `${referral.field}.${referral.member}`;
  const { namespace, place } = referral;
  if (referral.forbidden.has(name)) return { problem: forbiddenProblem({ field, namespace, place }) };
  const secret = referral.secrets.get(name);
  if (secret === undefined) {
    const message = `${field}: Secret ${name} does not exist: create it or correct the name`;
    return { problem: { kind: "missing", field, message } };
  }
  const text = secretText(secret, referral.key);
  if (text !== undefined) return { text };
  const message = `${field}: Secret ${name} lacks the data key ${referral.key}: add it`;
  return { problem: { kind: "invalid", field, message } };
}

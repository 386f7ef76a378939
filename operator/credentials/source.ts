/**
 * The credentials that selectors of basic-auth Secrets stand for. Verifiers are derived once for each user and password and
 * remembered as long as somebody asks for them, because the derivation is meant to be slow.
 */
import { ForbiddenError, type Kube, nameOf } from "../kube/kube.ts";
import type { Secret } from "../kube/objects.ts";
import { basicAuthType, chooseLogins, type ChosenLogin, type CredentialFacts, type SelectedSecret } from "./logins.ts";
import type { SpecSelection } from "../references/reference.ts";
import { Verifiers } from "./verifiers.ts";
import type { Installation } from "../installation/installation.ts";
import { forbiddenProblem, type ReferenceProblem } from "../references/problem.ts";

export interface CredentialSource {
  /** Credentials of the Secrets that the questions select, each once, in order of their names. */
  select(asked: CredentialQuestions): Promise<CredentialFacts>;
  /** Nothing is asked for this resource any more. */
  forget(asker: string): void;
}

export interface CredentialQuestions {
  readonly kube: Kube;
  readonly installation: Installation;
  /** Key of the resource that the selectors stand in. */
  readonly asker: string;
  /** `namespace/name` of the MailRelay that clients log in at. */
  readonly relay: string;
  readonly namespace: string;
  readonly selectors: readonly SpecSelection[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function createCredentialSource(): CredentialSource {
  const verifiers = new Verifiers();
  return {
    async select(asked) {
      const selected: SelectedSecret[] = [];
      const problems: ReferenceProblem[] = [];
      for (const selector of asked.selectors) {
        const secrets = await selectSecrets(asked, selector);
        if (secrets === "forbidden") problems.push(forbiddenProblem({ ...asked, ...selector }));
        else if (secrets.length === 0) problems.push(nothingSelected(asked, selector));
        else selected.push(...secrets.map((secret) => ({ secret, field: selector.field })));
      }
      const { logins, ends, ...chosen } = chooseLogins(selected, asked.now);
      const documents = await verifiers.of(asked, logins);
      return { documents, problems: [...problems, ...chosen.problems], selected: selectedBy(selected, logins), ends };
    },
    forget: (asker) => verifiers.forget(asker),
  };
}

/** One Secret may be selected by several. */
function selectedBy(
  selected: readonly SelectedSecret[],
  logins: readonly ChosenLogin[],
): ReadonlyMap<string, readonly string[]> {
  const chosen = new Set(logins.map(({ identity }) => identity));
  const usable = selected.filter(({ secret }) => chosen.has(nameOf(secret.metadata)));
  const byField = Map.groupBy(usable, ({ field }) => field);
  return new Map([...byField].map(([field, its]) => [field, its.map(({ secret }) => nameOf(secret.metadata))]));
}

async function selectSecrets(
  { kube, namespace }: CredentialQuestions,
  { selector }: SpecSelection,
): Promise<readonly Secret[] | "forbidden"> {
  const secrets = await kube.list("Secret", { namespace, selector }).catch((error: unknown) => forbiddenOnly(error));
  if (secrets === "forbidden") return secrets;
  return [...secrets].sort((left, right) => (nameOf(left.metadata) < nameOf(right.metadata) ? -1 : 1));
}

function forbiddenOnly(error: unknown): "forbidden" {
  if (error instanceof ForbiddenError) return "forbidden";
  throw error;
}

function nothingSelected({ namespace }: CredentialQuestions, { field }: SpecSelection): ReferenceProblem {
  const message =
    `${field} selects no Secret of type ${basicAuthType} in namespace ${namespace}: ` +
    `create one with these labels and the data keys username and password`;
  return { kind: "missing", object: "Secret", field, message };
}

/** Which of the selected Secrets let somebody in, and what is to be said of the others. Pure. */
import type { CredentialDocument } from "../../api/relayconfig.ts";
import { nameOf } from "../kube/kube.ts";
import type { Secret } from "../kube/objects.ts";
import { readClientLogin, type Login } from "../references/login.ts";
import type { ReferenceProblem } from "../references/problem.ts";

export const basicAuthType = "kubernetes.io/basic-auth";

/** Passwords that one user name may have: each login may have to be held against all of them. */
export const passwordsOfAUser = 32;
const namedAtMost = 5;

export interface SelectedSecret {
  readonly secret: Secret;
  /** Path of the selector. */
  readonly field: string;
}

export interface ChosenLogin extends Login {
  /** `namespace/name` of the Secret. */
  readonly identity: string;
}

export interface ChosenLogins {
  readonly logins: readonly ChosenLogin[];
  readonly problems: readonly ReferenceProblem[];
}

/** Credentials that may be used, as documents carry them, and why the others may not. */
export interface CredentialFacts {
  readonly documents: readonly CredentialDocument[];
  readonly problems: readonly ReferenceProblem[];
}

interface Candidate extends ChosenLogin {
  readonly field: string;
  readonly createdAt: string;
}

/** A Secret that two selectors select counts once. */
export function chooseLogins(selected: readonly SelectedSecret[]): ChosenLogins {
  const faults = new Faults();
  const candidates = new Map<string, Candidate>();
  for (const { secret, field } of selected) {
    const identity = nameOf(secret.metadata);
    if (secret.type !== basicAuthType) {
      const isMade = `make it anew with type ${basicAuthType}, or take the label off`;
      faults.add({ field, identity, why: `has type ${secret.type}: ${isMade}` });
      continue;
    }
    const reading = readClientLogin(secret);
    if (reading.kind === "invalid") faults.add({ field, identity, why: reading.why });
    else {
      const createdAt = secret.metadata.creationTimestamp ?? "";
      candidates.set(identity, { identity, field, createdAt, ...reading.login });
    }
  }
  const left = tooMany(candidates.values());
  for (const { field, identity, username } of left) {
    const why = `user name ${username} has more than ${passwordsOfAUser} Secrets, and the oldest are used: remove some`;
    faults.add({ field, identity, why });
  }
  const over = new Set(left.map(({ identity }) => identity));
  const logins = [...candidates.values()]
    .filter(({ identity }) => !over.has(identity))
    .map(({ identity, username, password }) => ({ identity, username, password }));
  return { logins, problems: faults.problems() };
}

/** The oldest stay: a login that works must not end because somebody adds another. */
function tooMany(candidates: Iterable<Candidate>): readonly Candidate[] {
  const byUser = Map.groupBy(candidates, ({ username }) => username);
  return [...byUser.values()].flatMap((same) => same.toSorted(byAge).slice(passwordsOfAUser));
}

function byAge(left: Candidate, right: Candidate): number {
  const [one, other] = [`${left.createdAt} ${left.identity}`, `${right.createdAt} ${right.identity}`];
  return one < other ? -1 : 1;
}

/** Faults of one kind are told together: a condition has room for a few names, and not for hundreds. */
class Faults {
  readonly #secrets = new Map<string, { readonly field: string; readonly why: string; readonly names: string[] }>();

  add({ field, identity, why }: { readonly field: string; readonly identity: string; readonly why: string }): void {
    const key = `${field}\n${why}`;
    const known = this.#secrets.get(key);
    if (known === undefined) this.#secrets.set(key, { field, why, names: [identity] });
    else known.names.push(identity);
  }

  problems(): readonly ReferenceProblem[] {
    return [...this.#secrets.values()].map(({ field, why, names }) => ({
      kind: "invalid",
      object: "Secret",
      field,
      message: `${field}: ${names.length === 1 ? "Secret" : "Secrets"} ${listed(names)}: ${why}`,
    }));
  }
}

function listed(names: readonly string[]): string {
  const more = names.length - namedAtMost;
  return more > 0 ? `${names.slice(0, namedAtMost).join(", ")} and ${more} more` : names.join(", ");
}

/** Which of the selected Secrets let somebody in, and what is to be said of the others. Pure. */
import type { CredentialDocument } from "../../api/relayconfig.ts";
import { nameOf } from "../kube/kube.ts";
import type { Secret } from "../kube/objects.ts";
import { readClientLogin, type Login } from "../references/login.ts";
import type { ReferenceProblem } from "../references/problem.ts";
import { ageOf, endText, readExpiry, untilNextAge } from "./expiry.ts";

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
  /** Milliseconds since the epoch; undefined when it holds as long as the Secret is there. */
  readonly expiresAt?: number | undefined;
}

export interface ChosenLogins {
  readonly logins: readonly ChosenLogin[];
  readonly problems: readonly ReferenceProblem[];
  readonly ends: LoginEnds;
}

/** What there is to say of logins that end, as whole sentences; each names its field. */
export interface LoginEnds {
  readonly ended: readonly string[];
  readonly ending: readonly string[];
  /** Until there is something else to say; undefined when nothing ever ends. */
  readonly nextMs: number | undefined;
}

/** Credentials that may be used, as documents carry them, and why the others may not. */
export interface CredentialFacts {
  readonly documents: readonly CredentialDocument[];
  readonly problems: readonly ReferenceProblem[];
  /** `namespace/name` of the Secrets that may be used, by the path of each selector that selects them; absent where there is none. */
  readonly selected?: ReadonlyMap<string, readonly string[]>;
  /** Absent where nothing ends. */
  readonly ends?: LoginEnds;
}

interface Candidate extends ChosenLogin {
  readonly field: string;
  readonly createdAt: string;
}

/** A Secret that two selectors select counts once. */
export function chooseLogins(selected: readonly SelectedSecret[], now: number): ChosenLogins {
  const faults = new Faults();
  const times = { ended: new Faults(), ending: new Faults() };
  const ends: number[] = [];
  const candidates = new Map<string, Candidate>();
  for (const { secret, field } of selected) {
    const identity = nameOf(secret.metadata);
    if (secret.type !== basicAuthType) {
      const isMade = `make it anew with type ${basicAuthType}, or take the label off`;
      faults.add({ field, identity, why: `has type ${secret.type}: ${isMade}` });
      continue;
    }
    const [reading, expiry] = [readClientLogin(secret), readExpiry(secret)];
    const wrong = [reading, expiry].filter((read) => read.kind === "invalid");
    for (const { why } of wrong) faults.add({ field, identity, why });
    if (reading.kind === "invalid" || expiry.kind === "invalid") continue;
    const { expiresAt } = expiry;
    const age = ageOf(expiresAt, now);
    if (expiresAt !== undefined) ends.push(expiresAt);
    if (expiresAt !== undefined && age !== "fresh") times[age].add({ field, identity, why: endText(age, expiresAt) });
    if (age === "ended") continue;
    const createdAt = secret.metadata.creationTimestamp ?? "";
    candidates.set(identity, { identity, field, createdAt, expiresAt, ...reading.login });
  }
  const left = tooMany(candidates.values());
  for (const { field, identity, username } of left) {
    const why = `user name ${username} has more than ${passwordsOfAUser} Secrets, and the oldest are used: remove some`;
    faults.add({ field, identity, why });
  }
  const over = new Set(left.map(({ identity }) => identity));
  const logins = [...candidates.values()]
    .filter(({ identity }) => !over.has(identity))
    .map(({ identity, username, password, expiresAt }) => ({
      identity,
      username,
      password,
      ...(expiresAt === undefined ? {} : { expiresAt }),
    }));
  const [ended, ending] = [times.ended.messages(), times.ending.messages()];
  return { logins, problems: faults.problems(), ends: { ended, ending, nextMs: untilNextAge(ends, now) } };
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

interface Fault {
  readonly field: string;
  readonly why: string;
  readonly names: string[];
}

function messageOf({ field, why, names }: Fault): string {
  return `${field}: ${names.length === 1 ? "Secret" : "Secrets"} ${listed(names)}: ${why}`;
}

/** Faults of one kind are told together: a condition has room for a few names, and not for hundreds. */
class Faults {
  readonly #secrets = new Map<string, Fault>();

  add({ field, identity, why }: { readonly field: string; readonly identity: string; readonly why: string }): void {
    const key = `${field}\n${why}`;
    const known = this.#secrets.get(key);
    if (known === undefined) this.#secrets.set(key, { field, why, names: [identity] });
    else known.names.push(identity);
  }

  problems(): readonly ReferenceProblem[] {
    return [...this.#secrets.values()].map((fault) => ({
      kind: "invalid",
      object: "Secret",
      field: fault.field,
      message: messageOf(fault),
    }));
  }

  /** The first few: each end may be another. */
  messages(): readonly string[] {
    const all = [...this.#secrets.values()].map(messageOf);
    const more = all.length - namedAtMost;
    return more > 0 ? [...all.slice(0, namedAtMost), `and ${more} more`] : all;
  }
}

function listed(names: readonly string[]): string {
  const more = names.length - namedAtMost;
  return more > 0 ? `${names.slice(0, namedAtMost).join(", ")} and ${more} more` : names.join(", ");
}

/** What referred objects hold, read as their use asks, and what is wrong with those that cannot be used. Pure. */
import type { ConfigMap, Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import { type AuthorityReading, readAuthorities, readClientAuthorities } from "../trust/certificate.ts";
import { type Login, readLogin } from "./login.ts";
import type { Installation } from "../installation/installation.ts";
import { type Headers, readHeaders } from "./headers.ts";
import { forbiddenProblem, invalidProblem, missingProblem, type ReferenceProblem } from "./problem.ts";
import type { SpecReference } from "./reference.ts";

/** What of a namespace's objects was read for a resource. */
export interface Referred {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly installation: Installation;
  /** By name; those that do not exist are absent. */
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly configMaps: ReadonlyMap<string, ConfigMap | "forbidden">;
  /** Names of Secrets that may not be read. */
  readonly forbidden: ReadonlySet<string>;
}

/** What can be used, by the field that refers to it. */
export interface Readings {
  readonly logins: ReadonlyMap<string, Login>;
  /** PEM. */
  readonly authorities: ReadonlyMap<string, string>;
  readonly headers: ReadonlyMap<string, Headers>;
  readonly problems: readonly ReferenceProblem[];
}

/** What reading gives: the value, or what is wrong with the object, which continues its name. */
type Reading<T> = { readonly value: T } | { readonly why: string };

export function readReferences(references: readonly SpecReference[], referred: Referred): Readings {
  const logins = new Map<string, Login>();
  const authorities = new Map<string, string>();
  const headers = new Map<string, Headers>();
  const problems: ReferenceProblem[] = [];
  for (const reference of references) {
    const { field, dataKey = "" } = reference;
    const object = objectOf(reference, referred);
    if (object === "forbidden") {
      // Keys have a condition of their own.
      if (reference.use !== "signingKey") problems.push(forbidden(reference, referred));
      continue;
    }
    const keep = <T>(values: Map<string, T> | undefined, read: (object: Secret | ConfigMap) => Reading<T>): void => {
      const reading = object === undefined ? undefined : read(object);
      if (reading === undefined) problems.push(missingProblem(reference));
      else if ("why" in reading) problems.push(invalidProblem(reference, reading.why));
      else values?.set(field, reading.value);
    };
    switch (reference.use) {
      case "login":
        keep(logins, loginIn);
        break;
      case "authorities":
        keep(authorities, (held) => readingOf(readAuthorities(secretText(held, dataKey), referred.now, dataKey)));
        break;
      case "clientAuthorities":
        keep(authorities, (held) => readingOf(readClientAuthorities(secretText(held, dataKey), referred.now, dataKey)));
        break;
      case "headers":
        keep(headers, readHeaders);
        break;
      case "text":
        // Of a field that is not acted on yet: what it holds is asked for and not kept.
        keep(undefined, (held) => textIn(held, dataKey));
        break;
      case "certificate":
      case "issued":
      case "signingKey":
      case "place":
        break;
    }
  }
  return { logins, authorities, headers, problems };
}

/** Those of a field and of what is in it. */
export function problemsUnder(field: string, problems: readonly ReferenceProblem[]): readonly ReferenceProblem[] {
  return problems.filter((problem) => problem.field.startsWith(field));
}

function objectOf({ kind, name }: SpecReference, referred: Referred): Secret | ConfigMap | "forbidden" | undefined {
  if (kind === "ConfigMap") return referred.configMaps.get(name);
  return referred.forbidden.has(name) ? "forbidden" : referred.secrets.get(name);
}

function forbidden({ field, kind, namespace }: SpecReference, { installation }: Referred): ReferenceProblem {
  return forbiddenProblem({ field, kind, namespace, installation });
}

function loginIn(object: Secret | ConfigMap): Reading<Login> {
  const reading = readLogin(object);
  return reading.kind === "usable" ? { value: reading.login } : { why: `: ${reading.why}` };
}

function readingOf(reading: AuthorityReading): Reading<string> {
  return reading.kind === "usable" ? { value: reading.pem } : { why: ` ${reading.why}` };
}

function textIn(object: Secret | ConfigMap, dataKey: string): Reading<string> {
  const value = secretText(object, dataKey);
  return value === undefined ? { why: ` lacks the data key ${dataKey}: add it` } : { value };
}

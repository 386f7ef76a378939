/**
 * What stands in the way when something that a manifest refers to is missing, may not be read, or holds what is of no use: the words
 * that its status says, with what to do. What was there before stays in force meanwhile, but for logins: one whose Secret is gone is
 * none. Pure.
 */
import { grantCommand } from "../installation/rights.ts";
import type { Installation } from "../installation/installation.ts";
import type { ReferredKind } from "../kube/objects.ts";
import type { SpecReference } from "./reference.ts";

/** Something a manifest refers to and that cannot be used. */
export interface ReferenceProblem {
  readonly kind: "missing" | "invalid" | "forbidden";
  readonly object: ReferredKind;
  /** For example `spec.delivery.smarthosts[0].credentialsRef`. */
  readonly field: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

export function missingProblem({ field, kind, name }: SpecReference): ReferenceProblem {
  const message = `${field}: ${kind} ${name} does not exist: create it or correct the name`;
  return { kind: "missing", object: kind, field, message };
}

export function invalidProblem({ field, kind, name }: SpecReference, why: string): ReferenceProblem {
  return { kind: "invalid", object: kind, field, message: `${field}: ${kind} ${name}${why}` };
}

export interface ForbiddenRead {
  /** For example `spec.tls.secretRef`. */
  readonly field: string;
  /** Of what may not be read; Secrets when absent. */
  readonly kind?: ReferredKind;
  readonly namespace: string;
  readonly installation: Installation;
}

export function forbiddenProblem({ field, kind = "Secret", namespace, installation }: ForbiddenRead): ReferenceProblem {
  const message =
    `${field}: the operator may not read ${kind}s in namespace ${namespace}; whoever owns it can allow that: ` +
    grantCommand(installation, namespace);
  return { kind: "forbidden", object: kind, field, message };
}

/** The reason of a condition that tells of it. */
export function reasonOf({ kind, object }: ReferenceProblem) {
  switch (kind) {
    case "forbidden":
      return `${object}sForbidden` as const;
    case "missing":
      return `${object}NotFound` as const;
    case "invalid":
      return `${object}Invalid` as const;
  }
}

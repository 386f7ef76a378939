/**
 * The keys a domain signs with: those its manifest names, then the operator's own. Pure. A key that went bad keeps its
 * last good version in the pods, because mail that is signed today must not wait for a typing mistake to be found.
 */
import { dkimSelectorLabel, managedByLabel } from "../../api/labels.ts";
import type { KeyDocument } from "../../api/relayconfig.ts";
import type { Secret } from "../kube/objects.ts";
import { secretText } from "../kube/secret.ts";
import {
  algorithmOf,
  isNamed,
  type ManagedAlgorithm,
  managedSecretName,
  minRsaBits,
  privateKeyDataKey,
  readPrivateKey,
} from "../dkim/privatekey.ts";
import { forbiddenProblem } from "../references/problem.ts";
import { ownerOf } from "../owned/owner.ts";
import type { DomainWorld, KeyFacts, KeyProblem, PreviousDocument, UsableKey } from "./world.ts";

export interface ManagedKeyIntent {
  readonly algorithm: ManagedAlgorithm;
  /** Of the Secret. */
  readonly name: string;
}

export function keyFacts(world: DomainWorld, previous: PreviousDocument): KeyFacts {
  const usable: UsableKey[] = [];
  const problems: KeyProblem[] = [];
  const { namespace } = world.domain.metadata;
  const { installation } = world;
  (world.domain.spec.dkim?.keys ?? []).forEach(({ selector, secretRef }, index) => {
    const field = `spec.dkim.keys[${index}].secretRef`;
    const reading = world.forbidden.has(secretRef.name)
      ? { problem: forbiddenProblem({ field, namespace, installation }) }
      : judgeKey(`${field}: Secret ${secretRef.name}`, world.secrets.get(secretRef.name), secretRef.key);
    if ("problem" in reading) problems.push(reading.problem);
    const key = "usable" in reading ? { selector, ...reading.usable } : lastGood(previous, selector);
    if (key !== undefined) usable.push(key);
  });
  if (world.managedKeys === undefined) {
    problems.push(forbiddenProblem({ field: "spec.dkim.managed", namespace, installation }));
    usable.push(...keptKeys(world, previous));
  }
  for (const secret of world.managedKeys ?? []) {
    const selector = secret.metadata.labels?.[dkimSelectorLabel];
    // The Secret stays: who asks for the algorithm again gets the key back that is published.
    if (selector !== undefined && !isWanted(world, algorithmOf(selector))) continue;
    const key = managedKey(secret);
    const kept = key ?? (selector === undefined ? undefined : lastGood(previous, selector));
    if (kept !== undefined) usable.push(kept);
    if (key === undefined) problems.push(spoiltKey(secret));
  }
  return { usable, problems };
}

/** The key that a Secret was made for; undefined where it holds another by now, or none. */
export function managedKey(secret: Secret): UsableKey | undefined {
  const selector = secret.metadata.labels?.[dkimSelectorLabel];
  const privateKey = secretText(secret, privateKeyDataKey);
  const key = selector === undefined || privateKey === undefined ? undefined : usableKey(selector, privateKey);
  return key !== undefined && isNamed(key.selector, key) ? key : undefined;
}

/** A key of ours that somebody wrote over. It is not made anew by itself: its public half may be published. */
function spoiltKey(secret: Secret): KeyProblem {
  const message =
    `spec.dkim.managed: Secret ${secret.metadata.name} no longer holds the key that was made for it: ` +
    `restore it, or delete the Secret and publish the new key that is made then`;
  return { kind: "invalid", message };
}

function isWanted({ domain }: DomainWorld, algorithm: ManagedAlgorithm | undefined): boolean {
  const wanted = domain.spec.dkim?.managed?.algorithms ?? [];
  return algorithm === undefined || wanted.includes(algorithm);
}

/** Keys that the pods have, of algorithms that are wanted, and that no entry of spec.dkim.keys brings. */
function keptKeys(world: DomainWorld, previous: PreviousDocument): readonly UsableKey[] {
  const named = new Set((world.domain.spec.dkim?.keys ?? []).map((key) => key.selector));
  return (previous?.keys ?? []).flatMap(({ selector, privateKey }) => {
    const isOther = named.has(selector) || !isWanted(world, algorithmOf(selector));
    const key = isOther ? undefined : usableKey(selector, privateKey);
    return key === undefined ? [] : [key];
  });
}

/** Managed keys that the manifest asks for and that do not exist. */
export function keysToMake(world: DomainWorld): readonly ManagedKeyIntent[] {
  const algorithms = world.domain.spec.dkim?.managed?.algorithms ?? [];
  if (world.managedKeys === undefined) return [];
  const present = new Set(
    world.managedKeys.map((secret) => algorithmOf(secret.metadata.labels?.[dkimSelectorLabel] ?? "")),
  );
  const { name } = world.domain.metadata;
  return algorithms
    .filter((algorithm) => !present.has(algorithm))
    .map((algorithm) => ({ algorithm, name: managedSecretName(name, algorithm) }));
}

/** Keys of this domain that are owned by nobody, or by a SenderDomain of its name that is no more, as they should be owned. */
export function keysToAdopt(world: DomainWorld): readonly Secret[] {
  const { domain, managedKeys = [] } = world;
  const owner = ownerOf(domain);
  return managedKeys
    .filter((secret) => managedKey(secret) !== undefined && !isOwnedBy(secret, owner.uid))
    .map((secret) => ({ ...secret, metadata: { ...secret.metadata, ownerReferences: [owner] } }));
}

export function isOwnedBy(secret: Secret, uid: string | undefined): boolean {
  return secret.metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

/**
 * Labels can be written by anybody, and a Secret that somebody else owns is no key of ours. One without an owner was left by a
 * domain that was orphaned or brought back from a backup, and what is published of it is still good.
 */
export function isKeyOf(secret: Secret, { metadata: { name, uid } }: DomainWorld["domain"]): boolean {
  const { labels, ownerReferences = [] } = secret.metadata;
  if (isOwnedBy(secret, uid)) return true;
  const isOurs = labels?.[managedByLabel] === "mailboat-operator" && labels[dkimSelectorLabel] !== undefined;
  return isOurs && ownerReferences.every((owner) => owner.kind === "SenderDomain" && owner.name === name);
}

type KeyJudgement = { readonly usable: Omit<UsableKey, "selector"> } | { readonly problem: KeyProblem };

function judgeKey(where: string, secret: Secret | undefined, dataKey: string): KeyJudgement {
  if (secret === undefined) {
    const message = `${where} does not exist: create it with the private key as PEM in data key ${dataKey}`;
    return { problem: { kind: "missing", message } };
  }
  const privateKey = secretText(secret, dataKey);
  if (privateKey === undefined) {
    const message = `${where} lacks the data key ${dataKey}: put the private key there as PEM`;
    return { problem: { kind: "invalid", message } };
  }
  const reading = readPrivateKey(privateKey);
  switch (reading.kind) {
    case "usable":
      return { usable: { privateKey, algorithm: reading.algorithm, publicKey: reading.publicKey } };
    case "small": {
      const message = `${where}: the RSA key has ${reading.bits} bits, receivers want ${minRsaBits} or more: make one of 2048`;
      return { problem: { kind: "invalid", message } };
    }
    case "invalid": {
      const message = `${where}: ${reading.why}: put a PEM private key (RSA or Ed25519) into data key ${privateKeyDataKey}`;
      return { problem: { kind: "invalid", message } };
    }
  }
}

function lastGood(previous: PreviousDocument, selector: string): UsableKey | undefined {
  const last = previous?.keys.find((key) => key.selector === selector);
  return last === undefined ? undefined : usableKey(selector, last.privateKey);
}

function usableKey(selector: string, privateKey: KeyDocument): UsableKey | undefined {
  const reading = readPrivateKey(privateKey);
  if (reading.kind !== "usable") return undefined;
  return { selector, privateKey, algorithm: reading.algorithm, publicKey: reading.publicKey };
}

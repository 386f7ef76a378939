/**
 * Names of everything that is made for a MailRelay, and what follows where two MailRelays of a namespace would make an object of
 * one name: it belongs to the one that has it, and while nobody has it to the older of the two. The other one makes nothing at
 * all. Pods and volumes are left out: they are the StatefulSet's, and its name followed by a number is no other's. Pure.
 */
import type { Kind } from "../kube/objects.ts";
import {
  certificateSecretName,
  configurationSecretName,
  headlessServiceName,
  issuedSecretName,
  peerSecretName,
} from "../owned/names.ts";
import { allShards, shardSecretName } from "./shards.ts";

export interface MadeObject {
  readonly kind: Kind;
  readonly name: string;
}

/** One more object that another MailRelay has a claim to. */
export interface Rivalry extends MadeObject {
  /** Name of the other MailRelay, which may or may not exist. */
  readonly rival: string;
}

/** A rivalry with a MailRelay that exists. */
export interface Contest extends Rivalry {
  readonly isRivalOlder: boolean;
  /** Name of the MailRelay that the object says it belongs to; undefined when it is not there, or says nothing of the kind. */
  readonly owner: string | undefined;
}

/** What follows the relay's name in the names of each kind. */
const endings: readonly (readonly [Kind, readonly string[]])[] = [
  ["StatefulSet", [""]],
  ["Service", ["", headlessServiceName("")]],
  ["ServiceAccount", [""]],
  ["PodDisruptionBudget", [""]],
  ["NetworkPolicy", [""]],
  ["PodMonitor", [""]],
  ["Certificate", [""]],
  [
    "Secret",
    [
      configurationSecretName(""),
      certificateSecretName(""),
      peerSecretName(""),
      issuedSecretName(""),
      ...allShards().map((shard) => shardSecretName("", shard)),
    ],
  ],
];

/** All that is made for a relay of this name, or may be. */
export function madeFor(relayName: string): readonly MadeObject[] {
  return endings.flatMap(([kind, ends]) => ends.map((end) => ({ kind, name: `${relayName}${end}` })));
}

/** Every other MailRelay that could exist in the namespace and would have an object of the same kind and name. */
export function rivalriesOf(relayName: string): readonly Rivalry[] {
  return endings.flatMap(([kind, ends]) =>
    ends.flatMap((own) => {
      const name = `${relayName}${own}`;
      return ends
        .filter((other) => other !== own && name.endsWith(other) && name.length > other.length)
        .map((other) => ({ kind, name, rival: name.slice(0, name.length - other.length) }));
    }),
  );
}

/** Contests that the relay of this name loses. */
export function lostContests(relayName: string, contests: readonly Contest[]): readonly Contest[] {
  return contests.filter(({ owner, rival, isRivalOlder }) => {
    if (owner === relayName) return false;
    return owner === rival || isRivalOlder;
  });
}

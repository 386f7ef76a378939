/** What the operator's work and its last act begin and end with alike: the API server, the operator's namespace, the lease. */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { objectFieldManager } from "../../api/labels.ts";
import type { Chance } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Client } from "../kube/client/client.ts";
import { type ConnectionSettings, openConnection } from "../kube/client/connection.ts";
import { isFailure } from "../kube/client/failure.ts";
import type { Resource } from "../kube/client/resource.ts";
import { Transport } from "../kube/client/transport.ts";
import { Election } from "../kube/lease.ts";
import type { PodDefaults } from "../installation/installation.ts";
import type { ClusterSettings } from "../settings.ts";

export interface Opening {
  readonly settings: Pick<
    ClusterSettings,
    "kubeconfig" | "context" | "namespace" | "leaseName" | "leaseTimes" | "identity"
  >;
  readonly environment: ConnectionSettings["environment"];
  readonly log: Log;
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly chance: Chance;
}

export interface Opened {
  readonly host: string;
  /** Of the operator, its lease and its own Secrets. */
  readonly namespace: string;
  readonly transport: Transport;
  /** Of the lease alone: no other request's dead connection costs it time, and it is the first to find its own dead. */
  readonly leaseTransport: Transport;
}

/** Rejects when there is no cluster to talk to. */
export async function openServer({ settings, environment, monotonic }: Opening): Promise<Opened> {
  const { kubeconfig, context } = settings;
  const connection = await openConnection({ kubeconfig, context, environment, now: monotonic });
  return {
    host: connection.server.host,
    namespace: settings.namespace ?? connection.namespace ?? "mailboat-system",
    transport: new Transport(connection),
    leaseTransport: new Transport(connection),
  };
}

export function openElection(opening: Opening, client: Client, opened: Opened): Election {
  const { settings, log, monotonic, now, chance } = opening;
  const { namespace, transport, leaseTransport } = opened;
  return new Election({
    client: client.with({ transport: leaseTransport, stopping: undefined }),
    namespace,
    name: settings.leaseName,
    identity: `${settings.identity}_${randomBytes(4).toString("hex")}`,
    fieldManager: objectFieldManager,
    times: settings.leaseTimes,
    monotonic,
    wall: now,
    chance,
    onError: (error) => log.warn({ error: String(error) }, "the lease could not be read or renewed"),
    onDeadConnection: () => {
      log.warn("a connection to the API server was dead: all are made anew");
      transport.reconnect();
    },
  });
}

/** The next holder waits for the lease to run out where this fails. */
export async function giveUpLease(election: Election, log: Log): Promise<void> {
  await election.release().catch((error: unknown) => log.warn({ error: String(error) }, "the lease was not released"));
}

/** OpenShift's admission of pods: who serves it gives each namespace ids of its own, and refuses any other. */
const securityContextConstraints: Resource = {
  apiVersion: "security.openshift.io/v1",
  kind: "SecurityContextConstraints",
  plural: "securitycontextconstraints",
  namespaced: false,
};

const againMs = 2_000;
/** A server that restarts is back by then; a kind whose own server is broken may stay away for days. */
export const idsPatienceMs = 60_000;

export interface IdsQuestion {
  readonly client: Client;
  readonly stopping: AbortSignal;
  readonly log: Log;
  readonly monotonic: () => number;
  readonly patienceMs: number;
  /** Whether the relay pods that are there have ids of the cluster's; undefined when there are none. */
  readonly present: () => boolean | undefined;
}

/**
 * Asked once: a cluster does not become another one. A guess would make every pod anew, so where there is no answer for long pods go on
 * as those are that are there. While there are none it is asked on: what is guessed would hold for as long as the operator lives.
 */
export async function assignsIds(question: IdsQuestion): Promise<boolean> {
  const { client, stopping, log, monotonic, patienceMs, present } = question;
  const startedAt = monotonic();
  for (;;) {
    try {
      const is = await client.serves(securityContextConstraints);
      if (is) log.info("the cluster gives pods their user and group ids: relay pods have none of ours");
      return is;
    } catch (error) {
      if (stopping.aborted) return false;
      if (isFailure(error, "Forbidden")) {
        // Nothing will change that by itself; OpenShift lets everybody ask.
        log.warn(
          { error: error.said },
          "the operator may not ask whether the cluster gives pods their ids: they get ours",
        );
        return false;
      }
      const areAssigned = monotonic() - startedAt >= patienceMs ? present() : undefined;
      if (areAssigned !== undefined) {
        log.warn(
          { error: String(error), areAssigned },
          "the API server does not say which kinds it has: relay pods have ids as those that are there",
        );
        return areAssigned;
      }
      log.warn({ error: String(error) }, "the API server does not say which kinds it has; it is asked again");
      await pause(againMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}

export function podDefaults(
  { relayImagePullPolicy, relayImagePullSecrets }: ClusterSettings,
  areIdsAssigned: boolean,
): PodDefaults {
  return { imagePullPolicy: relayImagePullPolicy, imagePullSecrets: relayImagePullSecrets, areIdsAssigned };
}

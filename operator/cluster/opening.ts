/** What the operator's work and its last act begin and end with alike: the API server, the operator's namespace, the lease. */
import { randomBytes } from "node:crypto";
import { objectFieldManager } from "../../api/labels.ts";
import type { Chance } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Client } from "../kube/client/client.ts";
import { type ConnectionSettings, openConnection } from "../kube/client/connection.ts";
import { Transport } from "../kube/client/transport.ts";
import { Election } from "../kube/lease.ts";
import { leaseTimes } from "../kube/leaserecord.ts";
import type { ClusterSettings } from "../settings.ts";

export interface Opening {
  readonly settings: Pick<ClusterSettings, "kubeconfig" | "context" | "namespace" | "leaseName" | "identity">;
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
    times: leaseTimes,
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

/**
 * Which API server, and as whom: a kubeconfig, or in a pod its account. Requests are ours (transport.ts), because the typed
 * models of @kubernetes/client-node drop fields they do not know and its watch cannot be told how long silence may last.
 *
 * Credentials are read again every half minute: a rotated token, client certificate or CA is in use within that time. Where
 * they cannot be read, requests fail until they can.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Access, Credentials } from "./access.ts";
import { accountFolder, openPodAccount, type PodEnvironment } from "./podaccount.ts";

export interface Connection extends Omit<Access, "read"> {
  /** `isRefused` asks for credentials that are read anew, because the server refused the last ones. */
  credentials(isRefused?: boolean): Promise<Credentials>;
}

export interface ConnectionSettings {
  /** Path of a kubeconfig; without one KUBECONFIG, ~/.kube/config or the pod's account, in this order. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly environment: PodEnvironment & { readonly KUBECONFIG?: string | undefined };
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

const credentialLifeMs = 30_000;

/** Rejects when there is no cluster to talk to, or the file cannot be read. */
export async function openConnection(settings: ConnectionSettings): Promise<Connection> {
  return keptFresh(await openAccess(settings), settings.now);
}

/** With credentials that are half a minute old at most. */
export function keptFresh(access: Access, clock: () => number): Connection {
  let known: { readonly credentials: Credentials; readonly readAt: number } | undefined;
  return {
    server: access.server,
    namespace: access.namespace,
    async credentials(isRefused = false) {
      const now = clock();
      if (known === undefined || isRefused || now - known.readAt > credentialLifeMs) {
        known = { credentials: await access.read(), readAt: now };
      }
      return known.credentials;
    },
  };
}

async function openAccess({ kubeconfig, context, environment }: ConnectionSettings): Promise<Access> {
  const isNamed = kubeconfig !== undefined || context !== undefined || (environment.KUBECONFIG ?? "") !== "";
  if (!isNamed && !existsSync(join(homedir(), ".kube/config"))) {
    const pod = await openPodAccount(environment, accountFolder);
    if (pod !== undefined) return pod;
  }
  // It weighs tens of megabytes: in a pod, where three files say everything, it is never loaded.
  const { openKubeconfig } = await import("./kubeconfig.ts");
  return openKubeconfig({ kubeconfig, context });
}

/**
 * Which API server, and as whom: kubeconfig or the pod's own account, read by @kubernetes/client-node. Only that is taken
 * from the library; requests are ours (transport.ts), because its typed models drop fields they do not know and its
 * watch cannot be told how long silence may last.
 *
 * Credentials are read again every half minute: a rotated token, client certificate or CA is in use within that time.
 * client-node by itself keeps the first CA for ever, together with the agent that it caches.
 */
import { KubeConfig } from "@kubernetes/client-node";
import type { Agent, OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";

const tlsOptions = ["ca", "cert", "key", "passphrase", "pfx", "rejectUnauthorized", "servername"] as const;

export interface Credentials {
  readonly headers: OutgoingHttpHeaders;
  /** TLS options of a connection. */
  readonly tls: Pick<RequestOptions, (typeof tlsOptions)[number]>;
  /** Present where the kubeconfig names a proxy. */
  readonly proxy: Agent | undefined;
}

export interface Connection {
  readonly server: URL;
  /** The namespace of the context, or of the pod. */
  readonly namespace: string | undefined;
  /** `isRefused` asks for credentials that are read anew, because the server refused the last ones. */
  credentials(isRefused?: boolean): Promise<Credentials>;
}

export interface ConnectionSettings {
  /** Path of a kubeconfig; without one KUBECONFIG, ~/.kube/config or the pod's account, in this order. */
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

const credentialLifeMs = 30_000;

/** @throws When there is no cluster to talk to, or the file cannot be read. */
export function openConnection(settings: ConnectionSettings): Connection {
  const config = loadConfig(settings);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error("no cluster: name a kubeconfig with --kubeconfig or KUBECONFIG, or run in a pod");
  }
  const server = new URL(cluster.server);
  let known: { readonly credentials: Credentials; readonly readAt: number } | undefined;
  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    async credentials(isRefused = false) {
      const now = settings.now();
      if (known === undefined || isRefused || now - known.readAt > credentialLifeMs) {
        known = { credentials: await readCredentials(config, server, cluster.proxyUrl !== undefined), readAt: now };
      }
      return known.credentials;
    },
  };
}

function loadConfig(settings: ConnectionSettings): KubeConfig {
  const config = new KubeConfig();
  if (settings.kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(settings.kubeconfig);
  if (settings.context === undefined) return config;
  if (config.getContextObject(settings.context) === null) {
    throw new Error(`the kubeconfig has no context ${settings.context}`);
  }
  config.setCurrentContext(settings.context);
  return config;
}

async function readCredentials(config: KubeConfig, server: URL, hasProxy: boolean): Promise<Credentials> {
  const options: RequestOptions = {};
  // client-node refuses plain HTTP unless verification is off, which means nothing there: `kubectl proxy` speaks it.
  if (server.protocol === "http:") return { headers: {}, tls: {}, proxy: undefined };
  await config.applyToHTTPSOptions(options);
  const { auth, headers, agent } = options;
  const basic = typeof auth === "string" ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
  // node:tls takes an option that is there and undefined for one that was set.
  const tls = tlsOptions.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]] as const]));
  return {
    // The type allows a list of pairs as well; client-node makes a record.
    headers: { ...(headers as OutgoingHttpHeaders | undefined), ...basic },
    tls: Object.fromEntries(tls),
    proxy: hasProxy && typeof agent === "object" ? agent : undefined,
  };
}

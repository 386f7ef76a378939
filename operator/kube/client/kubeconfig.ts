/**
 * A kubeconfig, read by @kubernetes/client-node: every way to log in that it knows. By itself the library keeps the first CA
 * for ever, together with the agent that it caches, so only options are taken from it.
 */
import { KubeConfig } from "@kubernetes/client-node";
import type { OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import type { Access, Credentials, TlsOption } from "./access.ts";

const tlsOptions: readonly TlsOption[] = ["ca", "cert", "key", "passphrase", "pfx", "rejectUnauthorized", "servername"];

export interface KubeconfigSettings {
  /** Its path; the usual places when absent. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
}

/** @throws When there is no cluster to talk to, or the file cannot be read. */
export function openKubeconfig(settings: KubeconfigSettings): Access {
  const config = loadConfig(settings);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new Error("no cluster: name a kubeconfig with --kubeconfig or KUBECONFIG, or run in a pod");
  }
  const server = new URL(cluster.server);
  return {
    server,
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    read: async () => readCredentials(config, server, cluster.proxyUrl !== undefined),
  };
}

function loadConfig(settings: KubeconfigSettings): KubeConfig {
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

/** Where the API server is and how one logs in there, whatever tells it: a kubeconfig or a pod's account. */
import type { Agent, OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";

export type TlsOption = "ca" | "cert" | "key" | "passphrase" | "pfx" | "rejectUnauthorized" | "servername";

export interface Credentials {
  readonly headers: OutgoingHttpHeaders;
  /** TLS options of a connection. */
  readonly tls: Pick<RequestOptions, TlsOption>;
  /** Present where the kubeconfig names a proxy. */
  readonly proxy: Agent | undefined;
}

/** Where the API server is, and how credentials for it are read anew. */
export interface Access {
  readonly server: URL;
  /** The namespace of the context, or of the pod. */
  readonly namespace: string | undefined;
  read(): Promise<Credentials>;
}

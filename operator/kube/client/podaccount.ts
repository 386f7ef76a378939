/**
 * The account of the pod that the operator runs in: three files that the kubelet keeps fresh, and two variables that say where
 * the API server is. A token that was renewed is a new content of the same file.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Access } from "./access.ts";

/** https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
export const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface PodEnvironment {
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
}

/** Undefined outside a pod. Rejects in one whose account is not mounted. */
export async function openPodAccount(environment: PodEnvironment, folder: string): Promise<Access | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (host === undefined || port === undefined) return undefined;
  const read = async (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  const namespace = (await read("namespace")).trim();
  return {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    namespace,
    async read() {
      const [token, ca] = await Promise.all([read("token"), read("ca.crt")]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca }, proxy: undefined };
    },
  };
}

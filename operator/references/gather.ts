/** Reads what specs refer to. What is not there is absent, a right that is missing is remembered; neither is an error. */
import { ForbiddenError, type Kube } from "../kube/kube.ts";
import type { ConfigMap, Secret } from "../kube/objects.ts";
import type { Referred } from "./readings.ts";
import type { SpecReference } from "./reference.ts";

export interface SecretReader {
  /** Names of Secrets that could not be read because RBAC does not allow it. */
  readonly forbidden: ReadonlySet<string>;
  get(name: string): Promise<Secret | undefined>;
}

/** Reads of one namespace. */
export function secretReader(kube: Kube, namespace: string): SecretReader {
  const forbidden = new Set<string>();
  const get = async (name: string): Promise<Secret | undefined> => {
    try {
      return await kube.get("Secret", namespace, name);
    } catch (error) {
      if (!(error instanceof ForbiddenError)) throw error;
      forbidden.add(name);
      return undefined;
    }
  };
  return { forbidden, get };
}

/** Each object once, whatever refers to it. */
export async function gatherReferred(
  kube: Kube,
  reader: SecretReader,
  references: readonly SpecReference[],
): Promise<Pick<Referred, "secrets" | "configMaps">> {
  const secrets = new Map<string, Secret>();
  const configMaps = new Map<string, ConfigMap | "forbidden">();
  const met = new Set<string>();
  for (const { kind, namespace, name, use } of references) {
    if (use === "place") continue;
    if (met.has(`${kind}/${name}`)) continue;
    met.add(`${kind}/${name}`);
    if (kind === "Secret") put(secrets, name, await reader.get(name));
    else put(configMaps, name, await configMapOf(kube, namespace, name));
  }
  return { secrets, configMaps };
}

function put<T>(found: Map<string, T>, name: string, object: T | undefined): void {
  if (object !== undefined) found.set(name, object);
}

async function configMapOf(kube: Kube, namespace: string, name: string): Promise<ConfigMap | "forbidden" | undefined> {
  try {
    return await kube.get("ConfigMap", namespace, name);
  } catch (error) {
    if (error instanceof ForbiddenError) return "forbidden";
    throw error;
  }
}

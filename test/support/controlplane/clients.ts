/** Clients and reflectors of the operator against a control plane of the test's. */
import { Reflector, type ReflectorEvent, type ReflectorTimes } from "../../../operator/kube/cache/reflector.ts";
import { type Change, Store } from "../../../operator/kube/cache/store.ts";
import { trimObject } from "../../../operator/kube/cache/trim.ts";
import { Client, type ClientSettings, type ListQuery } from "../../../operator/kube/client/client.ts";
import { keptFresh } from "../../../operator/kube/client/connection.ts";
import { openKubeconfig } from "../../../operator/kube/client/kubeconfig.ts";
import type { RawObject, Resource } from "../../../operator/kube/client/resource.ts";
import { Transport } from "../../../operator/kube/client/transport.ts";
import { until } from "../until.ts";

export const configMaps: Resource = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };
export const secrets: Resource = { apiVersion: "v1", kind: "Secret", plural: "secrets", namespaced: true };

export function openClient(kubeconfig: string, settings: Partial<ClientSettings> = {}): Client {
  const now = (): number => performance.now();
  const transport = new Transport(keptFresh(openKubeconfig({ kubeconfig, context: undefined }), now));
  return new Client({ transport, concurrency: 16, now, ...settings });
}

/** As in production, but nobody waits for minutes. */
export const quickTimes: ReflectorTimes = {
  backoff: { firstMs: 50, maxMs: 500 },
  watchSeconds: { min: 290, max: 590 },
  silenceMs: 90_000,
  unneededMs: 100,
};

export interface Mirror {
  readonly store: Store<RawObject>;
  readonly reflector: Reflector<RawObject>;
  readonly changes: Change<RawObject>[];
  readonly events: ReflectorEvent[];
  readonly stop: () => Promise<void>;
}

export interface MirrorSettings {
  readonly client: Client;
  readonly resource?: Resource;
  readonly query: ListQuery;
  readonly times?: Partial<ReflectorTimes>;
  readonly onChange?: (change: Change<RawObject>) => void;
}

/** A reflector that runs, and everything it has told. */
export function startMirror(settings: MirrorSettings): Mirror {
  const { client, resource = configMaps, query, times = {}, onChange } = settings;
  const changes: Change<RawObject>[] = [];
  const events: ReflectorEvent[] = [];
  const stopping = new AbortController();
  const store = new Store<RawObject>({ onChange: onChange ?? ((change) => changes.push(change)) });
  const reflector = new Reflector<RawObject>({
    client,
    resource,
    query,
    store,
    view: trimObject,
    times: { ...quickTimes, ...times },
    chance: () => 0.5,
    now: () => performance.now(),
    stopping: stopping.signal,
    observe: (event) => events.push(event),
  });
  const run = reflector.run();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await run;
  };
  return { store, reflector, changes, events, stop };
}

/** `name@resourceVersion` of every object of the query, from the server itself. */
async function onServer(client: Client, query: ListQuery): Promise<ReadonlySet<string>> {
  const page = await client.list(configMaps, query, {});
  return new Set(page.items.map(versioned));
}

function versioned({ metadata }: RawObject): string {
  return `${metadata.name}@${metadata.resourceVersion}`;
}

/** Waits until the store holds exactly what the server has. */
export async function untilEqual(mirror: Mirror, client: Client, query: ListQuery): Promise<void> {
  await mirror.reflector.synced;
  await until("a store that equals the server", async () => {
    const wanted = await onServer(client, query);
    return wanted.size === mirror.store.size && [...mirror.store.values()].every((one) => wanted.has(versioned(one)));
  });
}

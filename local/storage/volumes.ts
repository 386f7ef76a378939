/**
 * The volumes of local mode: a directory a pod, and a claim that says of it what a cluster's would. Claims outlive the
 * process, so that mail of a pod that is gone is named in status after a restart as well. A volume goes with its claim.
 */
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { emptySpoolAnnotation, labelsFor } from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { ObjectMeta, PersistentVolumeClaim } from "../../operator/kube/objects.ts";
import { claimNameAt, ordinalOf, spoolVolume } from "../../operator/owned/names.ts";
import { makeDirectory, readOwn, writeFileAtomically } from "../files.ts";

const storedClaim = z.object({
  name: z.string(),
  namespace: z.string(),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
});

/** Whose volume it is. */
export interface VolumePlace {
  readonly namespace: string;
  readonly relay: string;
  readonly ordinal: number;
}

export class Volumes {
  readonly #stateDirectory: string;

  constructor(stateDirectory: string) {
    this.#stateDirectory = stateDirectory;
  }

  /** Claims that an earlier run left, and those of spools that are older than claims. */
  async open(): Promise<readonly PersistentVolumeClaim[]> {
    await makeDirectory(this.#path("claims"));
    const claims = new Map<string, PersistentVolumeClaim>();
    for (const file of await readdir(this.#path("claims"))) {
      if (!file.endsWith(".json")) continue;
      const metadata = await readOwn(this.#path("claims", file), (text) => storedClaim.parse(JSON.parse(text)));
      claims.set(fileOf(metadata), claimWith(metadata));
    }
    for (const pod of await readdir(this.#path("pods")).catch(() => [])) {
      const place = placeOf(pod);
      const hasSpool = await stat(this.#path("pods", pod, spoolVolume)).catch(() => undefined);
      if (place === undefined || hasSpool === undefined) continue;
      const claim = newClaim(place);
      if (!claims.has(fileOf(claim.metadata))) claims.set(fileOf(claim.metadata), claim);
    }
    return [...claims.values()];
  }

  /** On disk when it resolves: what was proven of a spool must not be forgotten, and neither that it was taken back. */
  async keep({ metadata: { name, namespace, labels = {}, annotations = {} } }: PersistentVolumeClaim): Promise<void> {
    const text = JSON.stringify({ name, namespace, labels, annotations });
    await writeFileAtomically(this.#path("claims", fileOf({ name, namespace })), text, true);
  }

  /** The directory first, and at once by its name: half a spool must not be there for a new pod. */
  async destroy({ metadata }: PersistentVolumeClaim): Promise<void> {
    const pod = `${metadata.namespace}.${metadata.name.slice(spoolVolume.length + 1)}`;
    const removed = this.#path("removed", pod);
    await makeDirectory(this.#path("removed"));
    await rm(removed, { recursive: true, force: true });
    await rename(this.#path("pods", pod), removed).catch((error: unknown) => ignoreMissing(error));
    await rm(this.#path("claims", fileOf(metadata)), { force: true });
    await rm(removed, { recursive: true, force: true });
  }

  #path(...parts: readonly string[]): string {
    return join(this.#stateDirectory, ...parts);
  }
}

export function newClaim({ namespace, relay, ordinal }: VolumePlace): PersistentVolumeClaim {
  return claimWith({ name: claimNameAt(relay, ordinal), namespace, labels: labelsFor(relay) });
}

/** A directory is as large as its disk and of no class: a claim says what the manifest asks for, whatever that is. */
export function claimFor(claim: PersistentVolumeClaim, relay: Pick<MailRelay, "spec">): PersistentVolumeClaim {
  const { size, storageClassName } = relay.spec.spool.storage;
  const spec = { storageClassName, resources: { requests: { storage: size } } };
  return { ...claim, spec };
}

/** How many pods an earlier run had that still hold mail, or may: they go on where they were. */
export function heldPods(
  claims: readonly PersistentVolumeClaim[],
  relay: { readonly namespace: string; readonly name: string },
): number {
  const ordinals = claims.flatMap(({ metadata }) => {
    const isOurs = metadata.namespace === relay.namespace && metadata.annotations?.[emptySpoolAnnotation] === undefined;
    const ordinal = isOurs ? ordinalOf(`${spoolVolume}-${relay.name}`, metadata.name) : undefined;
    return ordinal === undefined ? [] : [ordinal + 1];
  });
  return Math.max(0, ...ordinals);
}

function claimWith(metadata: ObjectMeta): PersistentVolumeClaim {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata,
    spec: { resources: { requests: { storage: "0" } } },
    status: { phase: "Bound" },
  };
}

function fileOf({ namespace, name }: Pick<ObjectMeta, "namespace" | "name">): string {
  return `${namespace}.${name}.json`;
}

/** Undefined when the directory is no pod's. A namespace has no dot in its name, a relay may have. */
function placeOf(directory: string): VolumePlace | undefined {
  const [, namespace, relay, digits] = /^([^.]+)\.(.+)-([0-9]+)$/.exec(directory) ?? [];
  if (namespace === undefined || relay === undefined) return undefined;
  const ordinal = ordinalOf(relay, `${relay}-${digits}`);
  return ordinal === undefined ? undefined : { namespace, relay, ordinal };
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}

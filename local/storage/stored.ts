/** What local mode wrote into its state directory and reads again at the next start. */
import { z } from "zod";
import { mailRelay } from "../../api/mailrelay.ts";
import { senderDomain } from "../../api/senderdomain.ts";
import type { InForce } from "../manifests/manifests.ts";

const storedMetadata = z.looseObject({
  name: z.string(),
  namespace: z.string(),
  uid: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

export const storedSecret = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("Secret"),
  metadata: storedMetadata,
  type: z.string(),
  data: z.record(z.string(), z.string()),
});

const storedConfigMap = z.object({
  apiVersion: z.literal("v1"),
  kind: z.literal("ConfigMap"),
  metadata: storedMetadata,
  data: z.record(z.string(), z.string()),
});

const storedObject = z.object({
  file: z.string(),
  object: z.union([mailRelay, senderDomain, storedSecret, storedConfigMap]),
});

const storedMisfit = z.looseObject({
  object: z.looseObject({
    kind: z.string(),
    metadata: z.looseObject({
      name: z.string(),
      namespace: z.string(),
      uid: z.string(),
      creationTimestamp: z.string(),
      generation: z.int(),
    }),
  }),
});

/** An object that an earlier version stored and this one cannot read: who it was is known, and what was made for it is its. */
export type StoredMisfit = z.infer<typeof storedMisfit>;

export interface Stored {
  readonly inForce: readonly InForce[];
  readonly misfits: readonly StoredMisfit[];
}

/** What an earlier run wrote of the objects that were in force. Throws where not even their names can be read. */
export function readStored(text: string | undefined): Stored {
  const inForce: InForce[] = [];
  const misfits: StoredMisfit[] = [];
  for (const entry of z.array(z.unknown()).parse(text === undefined ? [] : JSON.parse(text))) {
    const read = storedObject.safeParse(entry);
    if (read.success) inForce.push(read.data);
    else misfits.push(storedMisfit.parse(entry));
  }
  return { inForce, misfits };
}

/** As keyOf() spells it. */
export function keyOfMisfit({ object: { kind, metadata } }: StoredMisfit): string {
  return `${kind}/${metadata.namespace}/${metadata.name}`;
}

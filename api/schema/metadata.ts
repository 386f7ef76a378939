/**
 * The part of ObjectMeta that Mailboat reads. What else stands there is Kubernetes' own and passes through unseen.
 */
import { z } from "zod";
import { labelName, objectName, textMap } from "./text.ts";

export const metadata = z.looseObject({
  name: objectName(),
  /** What kubectl does without -n. An API server always fills it in. */
  namespace: labelName().default("default"),
  uid: z.string().max(64).optional(),
  generation: z.int().min(0).optional(),
  creationTimestamp: z.string().max(64).optional(),
  deletionTimestamp: z.string().max(64).optional(),
  labels: textMap(1024, 63).optional(),
  annotations: textMap(1024, 262_144).optional(),
});

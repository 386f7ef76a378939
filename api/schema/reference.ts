/** How a manifest names another object: always `…Ref`, so that a bare name is never taken for one. */
import { z } from "zod";
import { spelled } from "./pattern.ts";
import { objectName } from "./text.ts";

/** A Secret of the object's own namespace whose data keys have names of their own. */
export function secretReference(what: string) {
  return z.strictObject({ name: objectName().describe(what) });
}

/** One data key of a Secret of the object's own namespace. */
export function secretKeyReference(what: string, key: string) {
  return z.strictObject({ name: objectName().describe(what), key: dataKey(key) });
}

/** Certificates of authorities. The kind is said, because they are no secret: trust-manager writes them into ConfigMaps. */
export function authorityReference() {
  return z.strictObject({
    kind: z.enum(["Secret", "ConfigMap"]).default("Secret").describe("What holds them."),
    name: objectName().describe("Name of the Secret or ConfigMap in this namespace."),
    key: dataKey("ca.crt"),
  });
}

function dataKey(key: string) {
  const wrong = "must be a data key: letters, digits, '-', '_' and '.'";
  return spelled(z.string().min(1).max(253), /^[-._a-zA-Z0-9]+$/, wrong)
    .default(key)
    .describe("The data key that holds it.");
}

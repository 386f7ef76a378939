/** What local mode wrote into its state directory and reads again at the next start. */
import { z } from "zod";
import { mailRelay } from "../../../api/mailrelay.ts";
import { senderDomain } from "../../../api/senderdomain.ts";

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

/** Read by the schema of today: what it does not take any more is given anew by the folder, or gone. */
export const storedGiven = z.array(
  z.object({ file: z.string(), object: z.union([mailRelay, senderDomain, storedSecret]) }),
);

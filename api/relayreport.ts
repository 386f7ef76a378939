/**
 * What a relay pod tells the operator and people: the contract upwards, served as `/status` on the plain port.
 */
import { z } from "zod";

export const relayReport = z.object({
  version: z.literal(1),
  /** Revision of the configuration that is completely loaded; absent until the first one is. */
  revision: z.string().optional(),
  /** Why the newest configuration on disk is not the one in use; absent when it is. */
  configurationError: z.string().optional(),
  certificate: z.object({ fingerprint: z.string(), notAfter: z.iso.datetime(), names: z.array(z.string()) }).optional(),
  spool: z.object({
    /** Recipients that still wait for their outcome. */
    queuedRecipients: z.int().min(0),
    queuedMessages: z.int().min(0),
    /** When the longest overdue recipient became due; absent when nothing is due. */
    oldestDueTime: z.iso.datetime().optional(),
    usedBytes: z.number().min(0),
    capacityBytes: z.number().min(0),
    /** True once the high watermark is passed: new mail is answered 452. */
    full: z.boolean(),
    /** Changes with every spool that is created: an empty report of another spool proves nothing. */
    spoolId: z.string(),
  }),
  draining: z.boolean(),
  /** Messages accepted since the process started; the operator derives rates from two reports. */
  acceptedMessages: z.int().min(0),
  startedAt: z.iso.datetime(),
});

export type RelayReport = z.infer<typeof relayReport>;

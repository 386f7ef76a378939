/** Reports as operators of the release before read them, word for word: what relays tell today must pass here. */
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
  /** No mail can come in any more: nothing is being received, and nothing will be before the order is taken back. */
  draining: z.boolean(),
  /** How far the order to leave has come; absent without one. */
  drain: z
    .object({
      /** Messages that peers have taken since the order came. */
      handedOver: z.int().min(0),
      /** Why the newest transfer failed, for people; absent when it did not. */
      failure: z.string().optional(),
    })
    .optional(),
  /** Messages accepted since the process started; the operator derives rates from two reports. */
  acceptedMessages: z.int().min(0),
  startedAt: z.iso.datetime(),
});

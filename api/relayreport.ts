/**
 * What a relay pod tells the operator and people: the contract upwards, served as `/status` on the plain port. A report only
 * ever gains fields that may be absent, so that an operator and a relay of neighbouring releases read each other's.
 */
import { z } from "zod";

export const relayReport = z.object({
  version: z.literal(1),
  /** Which versions of the documents it reads; a relay that does not tell reads the first alone. */
  documents: z.object({ oldest: z.int().min(1), newest: z.int().min(1) }).optional(),
  /** Which release of Mailboat runs; absent from relays that do not tell. */
  release: z.string().max(64).optional(),
  /** Revision of the configuration that is completely loaded; absent until the first one is. */
  revision: z.string().optional(),
  /** Why the newest configuration on disk is not the one in use; absent when it is. */
  configurationError: z.string().optional(),
  certificate: z.object({ fingerprint: z.string(), notAfter: z.iso.datetime(), names: z.array(z.string()) }).optional(),
  spool: z.object({
    /** Recipients that still wait for their outcome. */
    queuedRecipients: z.int().min(0),
    queuedMessages: z.int().min(0),
    /** Those of the recipients that nobody sends, because their rows cannot be read; absent in older versions. */
    unreadableRecipients: z.int().min(0).optional(),
    /** When the longest overdue recipient became due; absent when nothing is due. */
    oldestDueTime: z.iso.datetime().optional(),
    /** When the oldest message that still waits, for whatever reason, was accepted; absent when none waits, and in older versions. */
    oldestAcceptedTime: z.iso.datetime().optional(),
    /** Messages that still wait five minutes and more after they were accepted; absent in older versions. */
    lateMessages: z.int().min(0).optional(),
    /** Those of them that wait an hour, and a day, and more; absent in older versions. */
    overHourMessages: z.int().min(0).optional(),
    overDayMessages: z.int().min(0).optional(),
    /** Messages that delivery.mode kept from leaving and that can be read; absent in older versions. */
    capturedMessages: z.int().min(0).optional(),
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
  /** Absent from relays that do not tell. */
  delivery: z
    .object({
      /** No outcome can be written now, so that nothing is sent. */
      paused: z.boolean(),
      /** Outcomes that could not be written so far, and are tried again. */
      unwrittenOutcomes: z.int().min(0),
    })
    .optional(),
  /**
   * Of what domains and namespaces may send in an hour: those of which this pod needs more than it has, or has a lease; absent
   * where nothing is limited, and from relays that do not count.
   */
  quotas: z
    .array(
      z.object({
        key: z.string(),
        /** This pod's now. */
        share: z.number().min(0).max(1),
        isPressed: z.boolean(),
        /** Something was refused for want of it in the last ten minutes. */
        isLimited: z.boolean(),
      }),
    )
    .optional(),
  /** Secrets of logins, the first hundred by name; absent from relays that do not tell. */
  logins: z
    .array(
      z.object({
        /** `namespace/name`. */
        secret: z.string(),
        /** The day, by UTC, on which a client last came in by it; absent when none did since the process started. */
        lastUsedDate: z.iso.date().optional(),
      }),
    )
    .optional(),
  /**
   * Names of token issuers of whom a token was shown lately that is signed with a key which is not in the documents: they may have new
   * ones. Of the cluster's ServiceAccounts it is empty. Absent when there are none, and from relays that do not tell.
   */
  unknownTokenKeys: z.array(z.string().max(63)).max(16).optional(),
  /** Messages accepted since the process started; the operator derives rates from two reports. */
  acceptedMessages: z.int().min(0),
  startedAt: z.iso.datetime(),
});

export type RelayReport = z.infer<typeof relayReport>;

/** Of all that a listener may show: as OpenSSL prints each, in lower case and without colons, the ECDSA one first. */
export function fingerprintOf(leaves: readonly { readonly fingerprint256: string }[]): string {
  return leaves.map(({ fingerprint256 }) => fingerprint256.replaceAll(":", "").toLowerCase()).join("+");
}

/**
 * What an SMTP envelope (RFC 5321 section 2.3.1) says of a recipient. Domains are A-labels, lower case; local parts are kept as given.
 */

/** RFC 3461 section 4.1: when the sender wants to be told. */
export type NotifyKeyword = "NEVER" | "SUCCESS" | "FAILURE" | "DELAY";

export interface EnvelopeRecipient {
  readonly address: string;
  /** Absent means the RFC's default: FAILURE, and DELAY at the relay's choice (RFC 3461 section 4.1). */
  readonly notify?: readonly NotifyKeyword[];
  /** `addr-type;xtext` exactly as received (RFC 3461 section 4.2). */
  readonly orcpt?: string;
}

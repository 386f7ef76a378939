/**
 * The SMTP envelope (RFC 5321 section 2.3.1) as plain values. Domains are A-labels, lower case; local parts are kept as given.
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

export interface Envelope {
  /** Empty string is the null reverse-path (RFC 5321 section 4.5.5). */
  readonly sender: string;
  readonly recipients: readonly EnvelopeRecipient[];
  /** True only when the client said so (RFC 6531 section 3.4). */
  readonly smtpUtf8: boolean;
  readonly body: "7BIT" | "8BITMIME";
  /** RFC 3461 section 4.3 and 4.4. ENVID is kept as the xtext that was received. */
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
}

/**
 * The figures that bound what one client may make us hold: octets of a line, of a command, of a header; hops of a loop.
 * Limits that an operator sets (size, recipients, connections) are in the snapshot, not here.
 */

/** RFC 5321 section 4.5.3.1.4 asks for 512 and for more with each extension: SMTPUTF8, DSN and AUTH= add some 1500. */
export const commandLineOctets = 2048;

/** RFC 4954 section 4: a line of an authentication exchange may be this long. */
export const authenticationLineOctets = 12_288;

/** A whole header. What real mail carries stays under a tenth of it; all of it is in memory once per DATA. */
export const headerOctets = 256 * 1024;

/**
 * RFC 5321 section 4.5.3.1.6 says 998 octets and the line end, and real senders exceed it: longer lines pass unchanged,
 * because folding them would break signatures. This bound only keeps one line from being the whole message.
 */
export const lineOctets = 1024 * 1024;

/** RFC 5321 section 6.3: more Received fields than this is a loop. */
export const receivedFields = 100;

/** Received fields of our own host name before it is called a loop: one that comes back is not yet one. */
export const ownReceivedFields = 5;

/** RFC 5321 section 4.5.3.1.3: a path is 256 octets with its angle brackets. */
export const addressOctets = 254;

/** RFC 3461 section 4.4 and 4.2. */
export const envidOctets = 100;
export const orcptOctets = 500;

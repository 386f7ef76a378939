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

/** Fields of a header: real mail has under two hundred after many hops. */
export const headerFields = 1000;

/** Fields of one name, of those that may be repeated: a signature lists each (RFC 6376 section 5.4.2) and stays under 8 KiB. */
export const repeatedFields = 20;

/** RFC 5322 section 2.1.1, without the line end. What is longer the next hop may break, and our signature with it. */
export const contentLineOctets = 998;

/** The header of a part within a message; all of it is in memory while a part is encoded anew. */
export const partHeaderOctets = 64 * 1024;

/** Parts within parts: past this depth they stay as they are. Real mail has under ten. */
export const partDepth = 50;

/** A boundary (RFC 2046 section 5.1.1: 70 characters) with its hyphens and white space behind it. */
export const boundaryLineOctets = 1000;

/**
 * RFC 5321 section 4.5.3.1.6 says 998 octets and the line end, and real senders exceed it: what is longer is encoded anew
 * (relay/mail/mime). This bound only keeps one line from being the whole message.
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

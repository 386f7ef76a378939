/**
 * User names and passwords as they are compared. The operator makes verifiers of what Secrets hold, the relay checks what clients
 * send, and one password has several spellings in Unicode: both sides prepare it by these same words. Pure.
 */

/** Octets of a user name or password, prepared, that a login may have. */
export const loginOctets = 1024;

/** RFC 8265 section 4.2.2 (OpaqueString): a space of any kind is a space, then NFC; case and width stay as they are. */
export function preparePassword(password: string): string {
  return password.replace(/\p{Zs}/gu, " ").normalize("NFC");
}

/**
 * RFC 4013 (SASLprep): what a client of SCRAM derives its proof from, which the relay never sees, where that is not OpaqueString. They
 * differ in characters that are a spelling of others, such as a ligature, and in those that nobody sees.
 */
export function preparePasswordForScram(password: string): string {
  return password
    .replace(/[\u1680\u2000-\u200b\u202f\u205f\u3000]/g, " ")
    .replace(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g, "")
    .normalize("NFKC");
}

/** RFC 8265 section 3.4.2 (UsernameCasePreserved): the full and half widths of a character are one. Spaces as in passwords. */
export function prepareUsername(username: string): string {
  return preparePassword(username.replace(/[\uff01-\uffee]/gu, (character) => character.normalize("NFKC")));
}

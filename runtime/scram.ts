/**
 * What both sides know of the verifiers of passwords (RFC 5802): the operator makes them, and a relay asks whoever gives an unknown
 * user name just as it asks the users that it knows.
 */
import { createHmac } from "node:crypto";

/** RFC 7677 section 4 asks for at least 4096; the relay pays this for each fresh login. */
export const scramIterations = 8192;

/**
 * 16 octets that depend on who logs in where and not on the password. All passwords of a user at a relay have one salt: a relay
 * derives once for a login, however many there are, and can tell a client the salt before it knows which password it has. A name that
 * nobody has gets one in the same way, on every pod and after each restart: a salt tells nobody which names exist, and which are new.
 * It need not be secret: whoever asks is told.
 */
export function stableSalt(relay: string, username: string): Buffer {
  return createHmac("sha256", relay).update(username, "utf8").digest().subarray(0, 16);
}

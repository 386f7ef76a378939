/**
 * The ways to log in, in the order in which EHLO names them. One more is one file, and one line here.
 *
 * Not offered: CRAM-MD5, for which a relay would have to know the passwords themselves, and NTLM, which is MD4 and DES.
 */
import { login } from "./login.ts";
import type { Mechanism } from "./mechanism.ts";
import { plain } from "./plain.ts";

const mechanisms: readonly Mechanism[] = [plain, login];

export const mechanismNames: readonly string[] = mechanisms.map(({ name }) => name);

/** By its name in upper case. */
export function mechanismNamed(wanted: string): Mechanism | undefined {
  return mechanisms.find(({ name }) => name === wanted);
}

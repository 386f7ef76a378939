/**
 * The ways to log in, in the order in which EHLO names them. One more is one file, and one line here.
 *
 * Clients that know several choose by themselves; the simplest come first, for those that look no further than the first word.
 * Not offered: CRAM-MD5, for which a relay would have to know the passwords themselves, and NTLM, which is MD4 and DES.
 */
import { external } from "./external.ts";
import { oauthBearer, xoauth2 } from "./tokens/bearer.ts";
import { login } from "./login.ts";
import type { Mechanism, Proofs } from "./mechanism.ts";
import { plain } from "./plain.ts";
import { scramSha256, scramSha256Plus } from "./scramexchange.ts";

const mechanisms: readonly Mechanism[] = [plain, login, external, oauthBearer, xoauth2, scramSha256, scramSha256Plus];

/** Those that can be used where this can be shown. */
export function mechanismNames(proofs: Proofs): readonly string[] {
  return mechanisms.filter((mechanism) => isOffered(mechanism, proofs)).map(({ name }) => name);
}

/** By its name in upper case. */
export function mechanismNamed(wanted: string, proofs: Proofs): Mechanism | undefined {
  return mechanisms.find((mechanism) => mechanism.name === wanted && isOffered(mechanism, proofs));
}

function isOffered(mechanism: Mechanism, proofs: Proofs): boolean {
  return mechanism.isOffered?.(proofs) ?? true;
}

/** PLAIN (RFC 4616): the client speaks first and once: authorization identity NUL user name NUL password. */
import {
  ask,
  hasControlCharacters,
  invalidLogin,
  malformed,
  type Mechanism,
  type Proofs,
  type Step,
} from "./mechanism.ts";

export const plain: Mechanism = {
  name: "PLAIN",
  // RFC 4954 section 4: who was to speak first and did not is asked by a challenge without octets.
  begin: (initial, proofs) =>
    initial === undefined ? ask("", (response) => check(response, proofs)) : check(initial, proofs),
};

function check(message: Buffer, proofs: Proofs): Step | Promise<Step> {
  const [authzid = "", authcid = "", password, ...more] = message.toString().split("\0");
  if (password === undefined || more.length > 0) {
    return malformed("PLAIN is an authorization identity, a user name and a password, with NUL between them");
  }
  if (hasControlCharacters(authzid + authcid)) return malformed("Control characters in the user name");
  // RFC 4616 section 2: to act for another. Nobody does here; but many clients write their own name in both places, or in the first.
  if (authcid !== "" && authzid !== "" && authcid !== authzid) return invalidLogin;
  return proofs.password({ username: authcid === "" ? authzid : authcid, password });
}

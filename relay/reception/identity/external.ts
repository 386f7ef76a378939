/**
 * EXTERNAL (RFC 4422 appendix A): what the connection has shown is the login, and the client says at most as whom. Most say nothing,
 * which AUTH writes as an equals sign.
 */
import { ask, hasControlCharacters, malformed, type Mechanism, type Proofs, type Step } from "./mechanism.ts";

export const external: Mechanism = {
  name: "EXTERNAL",
  begin: (initial, proofs) =>
    initial === undefined ? ask("", (response) => check(response, proofs)) : check(initial, proofs),
};

function check(message: Buffer, proofs: Proofs): Step {
  const authzid = message.toString();
  if (hasControlCharacters(authzid)) return malformed("Control characters in the authorization identity");
  return proofs.certificate(authzid);
}

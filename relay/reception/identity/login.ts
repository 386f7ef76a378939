/**
 * LOGIN (draft-murchison-sasl-login): the server asks for a name and then for a password. The RFCs have it not, and old devices
 * have nothing else; many send the name along with AUTH.
 */
import { ask, hasControlCharacters, malformed, type Mechanism, type Proofs, type Step } from "./mechanism.ts";

export const login: Mechanism = {
  name: "LOGIN",
  begin: (initial, proofs) =>
    initial === undefined
      ? ask("Username:", (response) => askPassword(response, proofs))
      : askPassword(initial, proofs),
};

function askPassword(message: Buffer, proofs: Proofs): Step {
  const username = message.toString();
  if (username === "") return malformed("The user name is missing");
  if (hasControlCharacters(username)) return malformed("Control characters in the user name");
  return ask("Password:", (response) => proofs.password({ username, password: response.toString() }));
}

/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the client shows that it has the password, and the relay that it knows
 * it, and the password never travels. With PLUS both say in which TLS connection that was.
 *
 * One try each: a client that is refused begins anew, with another nonce. Refusals for a wrong password are 535 as with PLAIN; the
 * error attribute of section 7 has no place in SMTP, where the reply is what ends an exchange.
 */
import { timingSafeEqual } from "node:crypto";
import { prepareUsername } from "../../../api/login.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import {
  ask,
  invalidLogin,
  malformed,
  type Mechanism,
  type PasswordChallenge,
  type Proofs,
  type Step,
} from "./mechanism.ts";
import { parseClientFinal, parseClientFirst, type ClientFirst } from "./scrammessage.ts";

export const scramSha256: Mechanism = {
  name: "SCRAM-SHA-256",
  begin: (initial, proofs) => begin(initial, { proofs, isPlus: false }),
};

export const scramSha256Plus: Mechanism = {
  name: "SCRAM-SHA-256-PLUS",
  isOffered: ({ channel }) => channel.hasName,
  begin: (initial, proofs) => begin(initial, { proofs, isPlus: true }),
};

/** RFC 5802 section 6: PLUS was offered to this client, and somebody between us took it off the list. */
const downgraded = refusal(535, "5.7.8", "SCRAM-SHA-256-PLUS is offered here, and the client did not see it");
const anotherChannel = refusal(535, "5.7.8", "The login was made for another TLS connection");

interface Terms {
  readonly proofs: Proofs;
  readonly isPlus: boolean;
}

function begin(initial: Buffer | undefined, terms: Terms): Step | Promise<Step> {
  // RFC 4954 section 4: who was to speak first and did not is asked by a challenge without octets.
  return initial === undefined ? ask("", (response) => challenge(response, terms)) : challenge(initial, terms);
}

async function challenge(message: Buffer, { proofs, isPlus }: Terms): Promise<Step> {
  const first = parseClientFirst(message);
  if (first.kind === "refusal") return first;
  const binding = bindingOf(first, { proofs, isPlus });
  if (binding.kind === "refusal") return binding;
  // To act for another. Nobody does here; a client may name itself.
  if (first.authzid !== "" && prepareUsername(first.authzid) !== prepareUsername(first.username)) return invalidLogin;
  const asked = await proofs.challenge(first.username);
  if ("kind" in asked) return asked;
  const nonce = first.nonce + proofs.nonce();
  const said = `r=${nonce},s=${asked.salt},i=${asked.iterations}`;
  return ask(said, (response) => conclude(response, { first, binding, asked, nonce, said }));
}

interface Binding {
  readonly kind: "binding";
  /** What the client may call the channel, each of which is right; one without octets where it is not to name it. */
  readonly names: readonly Buffer[];
}

const unbound: Binding = { kind: "binding", names: [Buffer.alloc(0)] };

function bindingOf({ flag }: ClientFirst, { proofs, isPlus }: Terms): Binding | Refusal {
  if (flag.kind !== "bound") {
    if (isPlus) return malformed("SCRAM-SHA-256-PLUS needs a channel binding (p=)");
    return flag.kind === "unoffered" && proofs.channel.hasName ? downgraded : unbound;
  }
  if (!isPlus) return malformed("A channel binding (p=) needs SCRAM-SHA-256-PLUS");
  const names = proofs.channel.namesOf(flag.type);
  if (names.length === 0) return refusal(504, "5.5.4", `Channel binding ${flag.type} does not work here`);
  return { kind: "binding", names };
}

interface Asked {
  readonly first: ClientFirst;
  readonly binding: Binding;
  readonly asked: PasswordChallenge;
  readonly nonce: string;
  /** The challenge. */
  readonly said: string;
}

function conclude(message: Buffer, { first, binding, asked, nonce, said }: Asked): Step {
  const final = parseClientFinal(message);
  if (final.kind === "refusal") return final;
  if (final.nonce !== nonce) return invalidLogin;
  const wanted = binding.names.map((name) => Buffer.concat([Buffer.from(first.header), name]));
  if (!wanted.some((each) => isSame(each, final.binding))) return anotherChannel;
  const proven = asked.prove(`${first.bare},${said},${final.withoutProof}`, final.proof);
  if (proven.kind === "refusal") return proven;
  const { kind, principal, signature } = proven;
  // RFC 4954 section 4: success has no room for data of its own, so that it comes as a challenge, whose answer is empty.
  return ask(`v=${signature.toString("base64")}`, (response) =>
    response.length === 0 ? { kind, principal } : malformed("Nothing is left to be said"),
  );
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

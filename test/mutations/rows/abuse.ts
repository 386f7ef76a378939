/** Changes to what strangers that mean ill are held back by. */
import type { Mutation } from "../mutation.ts";

const failures = "relay/limits/failedlogins.ts";
const failuresTest = "relay/limits/failedlogins.test.ts";
const heldBack = "relay/reception/heldback.test.ts";

export const abuseMutations: readonly Mutation[] = [
  {
    what: "a message may take for ever",
    file: "relay/smtp/server/sessionwatch.ts",
    old: 'const deadline = busy?.kind === "message" ? busy.until : deadlineOf(this.#standing, this.#patience);',
    new: "const deadline = deadlineOf(this.#standing, this.#patience);",
    test: "relay/reception/arrival.test.ts",
    only: "least pace",
  },
  {
    what: "a client pays for the time that we take",
    file: "relay/smtp/server/frame/datapace.ts",
    old: "if (this.#heldSince !== undefined) this.#until += now - this.#heldSince;",
    new: "",
    test: "relay/smtp/server/frame/datapace.test.ts",
  },
  {
    what: "who was fast once may be slow for as long",
    file: "relay/smtp/server/frame/datapace.ts",
    old: "Math.min(this.#until + (octets * 1000) / octetsPerSecond, now + idleMs)",
    new: "this.#until + (octets * 1000) / octetsPerSecond + 0 * (now + idleMs)",
    test: "relay/smtp/server/frame/datapace.test.ts",
  },
  {
    what: "strangers behind an address keep out who comes to log in",
    file: "relay/limits/connections.ts",
    old: "if (oldest === undefined || this.#time.now() - oldest[1].since < loginMs) return clientFull;",
    new: "if (oldest === undefined || oldest[1].since < 1e15) return clientFull;",
    test: "relay/limits/connections.test.ts",
  },
  {
    what: "a login that is slowed loses its place to who comes next from its address",
    file: "relay/limits/connections.ts",
    old: "const loginMs = 15_000;",
    new: "const loginMs = 5_000;",
    test: heldBack,
    only: "keeps its place",
  },
  {
    what: "each small piece of a message is kept as it came",
    file: "runtime/octets.ts",
    old: "piece.length >= roomAtOnce || this.#pieces.length === 0",
    new: "piece.length >= 0 || this.#pieces.length === 0",
    test: "runtime/octets.test.ts",
  },
  {
    what: "a stranger locks out who was let in before",
    file: failures,
    old: 'if (this.#isGood(pair, now)) return waitMs > 0 ? { kind: "slowly", by: "client and user" } : atOnce;',
    new: "",
    test: heldBack,
  },
  {
    what: "an address is good for every name once one was let in there",
    file: failures,
    old: "if (user !== undefined) keep(this.#good, pairOf(client, user), this.#time.now());",
    new: 'if (user !== undefined) for (const name of [user, "other"]) keep(this.#good, pairOf(client, name), this.#time.now());',
    test: failuresTest,
  },
  {
    what: "an old password that is tried for ever is a guess each time",
    file: failures,
    old: "if (before.includes(shown)) return false;",
    new: "",
    test: heldBack,
  },
  {
    what: "a few who guess take all the room of a name",
    file: failures,
    old: "isSuspect ? roomForSuspects : ofUser.room",
    new: "ofUser.room",
    test: failuresTest,
  },
  {
    what: "what is refused is looked at all the same",
    file: "relay/reception/identity/logins.ts",
    old: "return held ?? this.#inTime(",
    new: "return this.#inTime(",
    test: heldBack,
  },
  {
    what: "SCRAM is not held back",
    file: "relay/reception/identity/logins.ts",
    old: "if (held !== undefined) return held;",
    new: "",
    test: heldBack,
  },
  {
    what: "who guesses in a trusted network is held back",
    file: "relay/reception/identity/restraint.ts",
    old: "if (this.#isSpared) return;",
    new: "",
    test: heldBack,
  },
  {
    what: "a client that fails with many names is not slowed",
    file: "relay/reception/identity/restraint.ts",
    old: "await delay(slowMs, undefined, { ref: false });",
    new: "",
    test: heldBack,
  },
];

/** Changes to how tokens are checked, and to how their keys come. */
import type { Mutation } from "../mutation.ts";

export const tokenMutations: readonly Mutation[] = [
  {
    what: "a token's user name is not held against the client's",
    file: "relay/reception/identity/tokens/tokens.ts",
    old: 'if (username !== "" && prepareUsername(username) !== prepareUsername(name)) return otherUser;',
    new: "",
    test: "relay/reception/identity/tokens/tokens.test.ts",
  },
  {
    what: "a token that has ended logs in",
    file: "relay/reception/identity/tokens/tokens.ts",
    old: "if (exp * 1000 <= now) return ended;",
    new: "",
    test: "relay/reception/identity/tokens/tokens.test.ts",
  },
  {
    what: "a token's session goes on after its end",
    file: "relay/reception/identity/tokens/tokens.ts",
    old: 'const until = Number(claims["exp"]) * 1000;',
    new: "const until = undefined;",
    test: "relay/reception/identity/tokens/tokens.test.ts",
  },
  {
    what: "a key that is not known is refused for good at once",
    file: "relay/reception/identity/tokens/unknownkeys.ts",
    old: 'if (now - at >= patienceMs) return "refused";',
    new: 'if (now - at >= 0) return "refused";',
    test: "relay/reception/identity/tokens/tokens.test.ts",
  },
  {
    what: "a key that was withdrawn ends no session",
    file: "relay/reception/identity/principal.ts",
    old: "return same !== undefined && knownTokenKeys(same.keys).some((each) => isAlike(each, key));",
    new: "return same !== undefined;",
    test: "relay/reception/identity/principal.test.ts",
  },
  {
    what: "a failed token that the client does not acknowledge is none",
    file: "relay/reception/identity/logins.ts",
    old: "return told.code === 421 ? told : {",
    new: "return {",
    test: "test/scenario/pods-send-as-themselves.test.ts",
  },
  {
    what: "pods that report an unknown key make the operator read without end",
    file: "operator/issuers/source.ts",
    old: "const isHurried = isAwaited && isAgo(entry.hurriedAt, minuteMs, at);",
    new: "const isHurried = isAwaited;",
    test: "operator/issuers/source.test.ts",
  },
  {
    what: "keys that the pods have are forgotten when the operator starts anew",
    file: "operator/issuers/issuer.ts",
    old: "const known = facts.cluster?.found ?? mountedKeys(mounted, undefined);",
    new: "const known = facts.cluster?.found;",
    test: "operator/issuers/issuer.test.ts",
  },
  {
    what: "one issuer speaks for another",
    file: "operator/issuers/fetch.ts",
    old: "if (discovery.issuer !== issuer)",
    new: "if (discovery.issuer === undefined)",
    test: "operator/issuers/fetch.test.ts",
  },
];

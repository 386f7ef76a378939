/** Changes to what becomes of octets that no client should send: the grammars of test/support/fuzz must meet them. */
import type { Mutation } from "../mutation.ts";

const test = "test/scenario/no-octets-bend-a-session.test.ts";

export const octetMutations: readonly Mutation[] = [
  {
    what: "a line feed, a dot and a line feed end a message",
    file: "relay/smtp/server/frame/dataframe.ts",
    old: 'if (state === "afterDot" && octet === carriageReturn) return "afterDotCr";',
    new: 'if (state === "afterDot") return "afterDotCr";',
    test,
  },
  {
    what: "a PROXY line that cannot be read is passed over",
    file: "relay/smtp/server/proxyheader.ts",
    old: 'return fault("the PROXY line is malformed");',
    new: 'return { kind: "header", clientAddress: undefined, octets };',
    test,
  },
  {
    what: "a line that ends with a line feed alone is a command",
    file: "relay/smtp/server/commandline.ts",
    old: "else if (this.#events.isLenient())",
    new: "else if (this.#endedBare)",
    test,
  },
  {
    what: "a parameter that comes twice is taken",
    file: "relay/smtp/server/command.ts",
    old: "if (parameters.has(name)) return refusal",
    new: 'if (name === "") return refusal',
    test,
  },
  {
    what: "whatever is said once TLS is there is said by who is trusted",
    file: "relay/reception/admit.ts",
    old: 'authentication === "Optional";\n  if (someNow',
    new: 'authentication === "Optional";\n  if (client.secure || someNow',
    test,
  },
];

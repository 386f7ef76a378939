/** Changes to how passwords are proven, and for how long. */
import type { Mutation } from "../mutation.ts";

const exchange = "relay/reception/identity/scramexchange.ts";
const steps = "relay/reception/identity/scramexchange.test.ts";
const wire = "relay/reception/identity/scramwire.test.ts";

export const passwordMutations: readonly Mutation[] = [
  {
    what: "a client that was not shown PLUS is let in",
    file: exchange,
    old: 'return flag.kind === "unoffered" && proofs.channel.hasName ? downgraded : unbound;',
    new: "return unbound;",
    test: steps,
  },
  {
    what: "a login that names another connection is let in",
    file: exchange,
    old: "if (!wanted.some((each) => isSame(each, final.binding))) return anotherChannel;",
    new: "",
    test: wire,
  },
  {
    what: "a nonce that is not the one of this exchange is taken",
    file: exchange,
    old: "if (final.nonce !== nonce) return invalidLogin;",
    new: "",
    test: steps,
  },
  {
    what: "a client acts for another",
    file: exchange,
    old: 'if (first.authzid !== "" && prepareUsername(first.authzid) !== prepareUsername(first.username)) return invalidLogin;',
    new: "",
    test: steps,
  },
  {
    what: "what must be understood is ignored",
    file: "relay/reception/identity/scrammessage.ts",
    old: '"(?:,[A-Zbdf-hj-loqtuw-z]=[^\\\\0,]+)*"',
    new: '"(?:,[A-Za-z]=[^\\\\0,]+)*"',
    test: "relay/reception/identity/scrammessage.test.ts",
  },
  {
    what: "TLS 1.2 binds by an exporter",
    file: "relay/smtp/server/channel.ts",
    old: 'socket.getProtocol() === "TLSv1.3"',
    new: "socket.isSessionReused() || true",
    test: wire,
  },
  {
    what: "a resumed session binds by the certificate that was put there last",
    file: "relay/smtp/server/channel.ts",
    old: "socket.isSessionReused() ? endPoints : [endPointOf(socket.getX509Certificate())]",
    new: "[endPointOf(socket.getX509Certificate())]",
    test: wire,
  },
  {
    what: "a name that nobody has gets another salt at each start",
    file: "relay/reception/identity/passwords.ts",
    old: 'const salt = stableSalt(`${relay.namespace}/${relay.name}`, username).toString("base64");',
    new: "const salt = `${dummyKey}${relay.name.slice(0, 0)}`;",
    test: "operator/credentials/verifiers.test.ts",
  },
  {
    what: "a password whose time is over opens a new session",
    file: "relay/reception/identity/logins.ts",
    old: "const left = credentials.filter((credential) => !hasExpired(credential, at));",
    new: "const left = credentials.filter((credential) => !hasExpired(credential, at - at));",
    test: wire,
  },
  {
    what: "a session that is open goes on when the time of its password is over",
    file: "relay/reception/identity/principal.ts",
    old: "isSame(each, proven) && !hasExpired(each, at)",
    new: "isSame(each, proven)",
    test: "relay/reception/identity/principal.test.ts",
  },
  {
    what: "a relay that knows of no ends lets in whose time ends",
    file: "api/relayconfig.ts",
    old: "else lists.expiringCredentials.push({ ...lasting, expiresAt });",
    new: "else lists.credentials.push(lasting);",
    test: "api/relayconfig.test.ts",
  },
  {
    what: "an end that cannot be read is none",
    file: "operator/credentials/expiry.ts",
    old: 'return { kind: "invalid", why };',
    new: 'return why === "" ? { kind: "invalid", why } : { kind: "usable", expiresAt };',
    test: "operator/credentials/logins.test.ts",
  },
  {
    what: "a pod that starts anew makes status forget",
    file: "operator/pods/logins.ts",
    old: "[...(said ?? []), ...told.flat()]",
    new: "told.flat()",
    test: "operator/pods/logins.test.ts",
  },
];

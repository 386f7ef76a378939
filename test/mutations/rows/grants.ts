/** Changes to who may send as whom. */
import type { Mutation } from "../mutation.ts";

const admit = "relay/reception/admit.ts";
const grant = "relay/reception/grant.ts";
const matrix = "test/scenario/only-whom-the-manifest-names-may-send.test.ts";
const tricks = "test/scenario/no-known-trick-borrows-a-domain.test.ts";
const tenants = "test/scenario/tenants-share-a-relay-and-no-domain.test.ts";

export const grantMutations: readonly Mutation[] = [
  {
    what: "the envelope sender may be anybody's",
    file: admit,
    old: "if (sender === undefined) return undefined;",
    new: "if (sender === undefined || sender.domain !== client.listener.tlsMode) return undefined;",
    test: matrix,
  },
  {
    what: "From may be anybody's",
    file: admit,
    old: "for (const address of parsed.mailboxes) {\n    const refused",
    new: "for (const address of parsed.mailboxes.slice(9)) {\n    const refused",
    test: matrix,
  },
  {
    what: "of several addresses in From the first is looked at alone",
    file: admit,
    old: "for (const address of parsed.mailboxes) {\n    const refused",
    new: "for (const address of parsed.mailboxes.slice(0, 1)) {\n    const refused",
    test: matrix,
  },
  {
    what: "From may be of two domains",
    file: admit,
    old: "if (domains.size > 1)",
    new: "if (domains.size > 9)",
    test: matrix,
  },
  {
    what: "of two From fields the first counts",
    file: admit,
    old: "if (only === undefined || from.length > 1) {",
    new: "if (only === undefined) {",
    test: tricks,
  },
  {
    what: "Sender may be anybody's",
    file: admit,
    old: '["sender", "Sender"],',
    new: "",
    test: matrix,
  },
  {
    what: "Resent-From may be anybody's",
    file: admit,
    old: '["resent-from", "Resent-From"],',
    new: "",
    test: matrix,
  },
  {
    what: "Resent-Sender may be anybody's",
    file: admit,
    old: '["resent-sender", "Resent-Sender"],',
    new: "",
    test: matrix,
  },
  {
    what: "whoever has a password may use every domain that has logins",
    file: grant,
    old: "return proof.credentials.some(({ identity }) => identities.has(identity));",
    new: "return proof.credentials.length > 0 && identities.size > 0;",
    test: matrix,
  },
  {
    what: "whoever is trusted for its network may use every domain",
    file: grant,
    old: "return senders.trustedNetworks;",
    new: "return identities.size >= 0;",
    test: matrix,
  },
  {
    what: "whoever shows a certificate may use every domain that names certificates",
    file: grant,
    old: "return isNamed(proof.certificate.names, senders);",
    new: "return senders.clientCertificates.length + (senders.certificateNames?.uris.length ?? 0) > 0;",
    test: matrix,
  },
  {
    what: "a certificate's common name is one of its DNS names",
    file: "relay/reception/identity/certificate.ts",
    old: "commonName === names.commonName)",
    new: "[names.commonName, ...names.dnsNames].includes(commonName))",
    test: matrix,
  },
  {
    what: "all local parts may be used",
    file: admit,
    old: "if (isAllowed && matchesLocalPart(settings.document.localParts, local)) return undefined;",
    new: 'if (isAllowed && matchesLocalPart([...settings.document.localParts, "*"], local)) return undefined;',
    test: matrix,
  },
  {
    what: "a user name is enough to be all who have it",
    file: "relay/reception/identity/passwords.ts",
    old: "remember(remembered, key, new Set(matches.map((match) => match.identity)));\n        return userWith(username, matches);",
    new: "remember(remembered, key, new Set(candidates.map((match) => match.identity)));\n        return userWith(username, candidates);",
    test: matrix,
  },
  {
    what: "a subdomain is its parent's",
    file: admit,
    old: "const settings = snapshot.domains.get(domain);\n  const isAllowed",
    new: 'const settings = snapshot.domains.get(domain) ?? snapshot.domains.get(domain.replace(/^[^.]+[.]/, ""));\n  const isAllowed',
    test: matrix,
  },
  {
    what: "an envelope sender may hold what a next hop takes for the whole of it",
    file: admit,
    old: "if (ambiguous !== undefined) return refusal(550",
    new: "if (ambiguous === snapshot.relay.hostname) return refusal(550",
    test: tricks,
  },
  {
    what: "a client of PLAIN acts for another",
    file: "relay/reception/identity/plain.ts",
    old: 'if (authcid !== "" && authzid !== "" && authcid !== authzid) return invalidLogin;',
    new: "",
    test: tricks,
  },
  {
    what: "a Return-Path that the client wrote leaves",
    file: "relay/reception/accept/incoming.ts",
    old: '"return-path", ',
    new: "",
    test: tricks,
  },
  {
    what: "a tenant may bring any domain",
    file: "operator/binding/consent.ts",
    old: 'return pattern === domain || (pattern.startsWith("*.") && domain.endsWith(pattern.slice(1)));',
    new: 'return pattern === domain || pattern !== domain.concat("x");',
    test: tenants,
  },
  {
    what: "a tenant may have ways out of its own without being allowed",
    file: "operator/binding/consent.ts",
    old: "if (hasWaysOfItsOwn && allowed.length === 0) {",
    new: "if (hasWaysOfItsOwn && fitting.length === 0) {",
    test: tenants,
  },
  {
    what: "a namespace that no entry admits brings domains",
    file: "operator/binding/consent.ts",
    old: "return namespaces.names?.includes(namespace) === true;",
    new: "return namespaces.names !== undefined;",
    test: tenants,
  },
  {
    what: "of two that bring one domain the newer has it",
    file: "operator/binding/consent.ts",
    old: "if (leftTime !== rightTime) return leftTime < rightTime;",
    new: "if (leftTime !== rightTime) return leftTime > rightTime;",
    test: tenants,
  },
];

/** Certificates of clients. */
import type { Mutation } from "../mutation.ts";

const overTheWire = "relay/reception/clientcertificates.test.ts";
const names = "relay/reception/identity/certificate.test.ts";
const documents = "operator/mailrelay/clientcertificates.test.ts";
const oddOnes = "relay/reception/oddcertificates.test.ts";

export const certificateMutations: readonly Mutation[] = [
  {
    what: "a wildcard in a certificate is a name",
    file: "relay/reception/identity/certificate.ts",
    old: '(name.includes("*") ? [] : [name.toLowerCase()])',
    new: "[name.toLowerCase()]",
    test: names,
  },
  {
    what: "a SPIFFE ID may have another URI beside it",
    file: "relay/reception/identity/certificate.ts",
    old: "&& (!isSpiffe(uri) || names.uris.length === 1)",
    new: "",
    test: names,
  },
  {
    what: "an authority vouches by its name alone",
    file: "relay/reception/identity/certificate.ts",
    old: "certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)",
    new: "certificate.checkIssued(issuer)",
    test: names,
  },
  {
    what: "a certificate is walked through every bundle of others",
    file: "relay/reception/identity/certificate.ts",
    old: "others: others.slice(0, mostOthers)",
    new: "others",
    test: names,
  },
  {
    what: "a client's own certificate in the bundle is an authority",
    file: "relay/config/clientauthorities.ts",
    old: ".filter((certificate) => signsOthers(certificate))",
    new: "",
    test: names,
  },
  {
    what: "the certificate of a session outlives its authority",
    file: "relay/reception/identity/principal.ts",
    old: "isVouchedFor(proof.certificate, snapshot.clientAuthorities, at) ? principal : undefined",
    new: "principal",
    test: overTheWire,
  },
  {
    what: "a certificate that did not pass is one that did",
    file: "relay/reception/identity/presented.ts",
    old: "if (word !== undefined) {",
    new: 'if (word === undefined && peer.kind !== "shown") {',
    test: overTheWire,
  },
  {
    what: "a password is looked at before the certificate that the listener wants",
    file: "relay/reception/handshake.ts",
    old: "takesItForLogin(listener)) return uncertified;",
    new: "takesItForLogin(listener)) return undefined;",
    test: overTheWire,
  },
  {
    what: "who shows no certificate hears of a second factor",
    file: "relay/reception/handshake.ts",
    old: "if (uncertified !== undefined || mechanism",
    new: "if (mechanism",
    test: overTheWire,
  },
  {
    what: "a listener that wants a certificate lets mail in without",
    file: "relay/reception/admit.ts",
    old: "if (uncertified !== undefined) return uncertified;",
    new: "",
    test: overTheWire,
  },
  {
    what: "EXTERNAL is a second factor",
    file: "relay/reception/handshake.ts",
    old: "return isAsking(listener) && listener.factors !== 2;",
    new: "return isAsking(listener);",
    test: overTheWire,
  },
  {
    what: "a certificate acts for whomever its holder names",
    file: "relay/reception/handshake.ts",
    old: 'authzid === "" || (proof.kind === "certificate" && isCalled(proof.certificate.names, authzid))',
    new: "true",
    test: overTheWire,
  },
  {
    what: "a session with a certificate is taken up again",
    file: "relay/smtp/server/server.ts",
    old: "isAsking ? constants.SSL_OP_NO_TICKET : 0",
    new: "0",
    test: overTheWire,
  },
  {
    what: "who sends by a certificate alone is timed out as a stranger",
    file: "relay/reception/session.ts",
    old: "return isEnough;",
    new: "return false;",
    test: overTheWire,
  },
  {
    what: "a new bundle of authorities waits for a new certificate",
    file: "relay/reception/listeners.ts",
    old: "if (!isOther && !areOthers) return;",
    new: "if (!isOther) return;",
    test: overTheWire,
  },
  {
    what: "a listener that wants a certificate is opened by relays that know of none",
    file: "operator/mailrelay/document.ts",
    old: "if (certificateListeners.length === 0) return { listeners: documents };",
    new: "if (certificateListeners.length >= 0) return { listeners: documents };",
    test: documents,
  },
  {
    what: "authorities whose ConfigMap is gone go on",
    file: "operator/mailrelay/document.ts",
    old: 'problem !== undefined && problem.kind !== "missing"',
    new: "problem !== undefined",
    test: documents,
  },
  {
    what: "authorities are taken whose names no handshake has room for",
    file: "operator/trust/certificate.ts",
    old: "if (octets <= mostNamesOctets) return reading;",
    new: "if (octets >= 0) return reading;",
    test: documents,
  },
  {
    what: "a revocation list is passed over without a word",
    file: "operator/trust/certificate.ts",
    old: 'if (text.includes("-----BEGIN X509 CRL-----")) {',
    new: 'if (text.includes("-----BEGIN X509 CRL-----?")) {',
    test: "operator/references/smarthost.test.ts",
  },
  {
    what: "a name stays as Node quotes it",
    file: "relay/reception/identity/certificate.ts",
    old: "value.startsWith('\"') ? String(JSON.parse(value)) : value",
    new: "value",
    test: names,
  },
  {
    what: "what is wrong is said in a word that says nothing",
    file: "relay/reception/identity/presented.ts",
    old: 'word === "UNSPECIFIED" ? "it breaks a rule" : `verification says ${word}`}; ${toFindOut}`',
    new: "`verification says ${word}`}`",
    test: oddOnes,
  },
];

/** The ways in. Who may relay is decided here and in SenderDomains; nothing is trusted that is not written. */
import { z } from "zod";
import { administrationPort, administrationPortName } from "../administration.ts";
import { spelled } from "../schema/pattern.ts";
import { listMap, listSet } from "../schema/list.ts";
import { network, trustedNetworks } from "../schema/network.ts";
import { ruled, type Rule } from "../schema/rule.ts";
import { portNumber } from "../schema/text.ts";
import { networkPeers } from "./networkpolicy.ts";

/** The port inside the pod: the restricted standard forbids those below 1024. */
export function containerPort(port: number): number {
  return port < 1024 ? port + 2000 : port;
}

/** Where metrics and administration live in every pod. */
export const reservedPorts: readonly number[] = [9464, administrationPort];

/** RFC 4954 section 4 wants passwords under TLS only; without TLS, AUTH is not offered and so can never be given. */
const authenticationNeedsTls: Rule<{ tlsMode: string; authentication: string }> = {
  cel: "!(has(self.tlsMode) && self.tlsMode == 'None') || (has(self.authentication) && self.authentication != 'Required')",
  message: "Required needs TLS, because AUTH is offered only inside TLS: set tlsMode to StartTLS or Implicit",
  at: ["authentication"],
  holds: ({ tlsMode, authentication }) => !(tlsMode === "None" && authentication === "Required"),
};

/** A line feed that ends a line for one server and not for the next lets a message hide another in it. */
const lenientNeedsTrust: Rule<{ lineEnds?: string | undefined; trustedNetworks: readonly string[] }> = {
  cel: "!has(self.lineEnds) || self.lineEnds == 'Strict' || (has(self.trustedNetworks) && size(self.trustedNetworks) > 0)",
  message: "Lenient is for clients of trustedNetworks only: name their networks there, or set lineEnds to Strict",
  at: ["lineEnds"],
  holds: (value) => value.lineEnds !== "Lenient" || value.trustedNetworks.length > 0,
};

interface Guarded {
  proxyProtocol?: object | undefined;
  sources?: readonly { ipBlock?: object | undefined }[] | undefined;
}

/** What connects is the load balancer, and of a client behind it nothing is known but the address. */
const proxiedSourcesAreNetworks: Rule<Guarded> = {
  cel: "!has(self.proxyProtocol) || !has(self.sources) || self.sources.all(peer, has(peer.ipBlock))",
  message:
    "must be networks (ipBlock) beside proxyProtocol: behind a load balancer nobody can tell whose pod a client is",
  at: ["sources"],
  holds: ({ proxyProtocol: proxy, sources = [] }) =>
    proxy === undefined || sources.every(({ ipBlock }) => ipBlock !== undefined),
};

/** The handshake is where a certificate is shown. */
const certificatesNeedTls: Rule<{ tlsMode: string; clientCertificates?: string | undefined }> = {
  cel:
    "!has(self.clientCertificates) || self.clientCertificates == 'None' || " +
    "!has(self.tlsMode) || self.tlsMode != 'None'",
  message: "must be None without TLS, in which certificates are shown: set tlsMode to StartTLS or Implicit",
  at: ["clientCertificates"],
  holds: ({ tlsMode, clientCertificates = "None" }) => clientCertificates === "None" || tlsMode !== "None",
};

interface Factored {
  authentication: string;
  clientCertificates?: string | undefined;
  factors?: number | undefined;
}

/** With one of them optional it would be one factor for whoever wants. */
const factorsNeedBoth: Rule<Factored> = {
  cel:
    "!has(self.factors) || self.factors < 2 || " +
    "(has(self.clientCertificates) && self.clientCertificates == 'Required' && " +
    "(!has(self.authentication) || self.authentication == 'Required'))",
  message: "2 are a certificate and a login: set clientCertificates and authentication to Required",
  at: ["factors"],
  holds: ({ authentication, clientCertificates, factors = 1 }) =>
    factors < 2 || (clientCertificates === "Required" && authentication === "Required"),
};

const proxyProtocol = z.strictObject({
  trustedNetworks: listSet(network(), 64)
    .min(1)
    .describe(
      "Networks of the load balancers whose PROXY header is believed (version 1 or 2); whoever else connects is refused.",
    ),
});

/** A container port's name as Kubernetes checks it, which asks for a letter and takes no two dashes in a row. */
const listenerName = spelled(
  z.string().max(15),
  /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
  "must be at most 15 lower-case letters, digits and single '-', starting with a letter",
);

const listener = z.strictObject({
  name: listenerName.describe("Name of the listener, of its Service port and in logs and metrics."),
  port: portNumber().describe(
    "Port of the client Service. The pod listens on it too, or on port + 2000 when it is below 1024 (25 becomes 2025).",
  ),
  tlsMode: z
    .enum(["None", "StartTLS", "Implicit"])
    .default("StartTLS")
    .describe(
      "None: no TLS and so no AUTH. StartTLS: plain until STARTTLS. Implicit: TLS from the first byte (RFC 8314).",
    ),
  authentication: z
    .enum(["Required", "Optional"])
    .default("Required")
    .describe(
      "Required: MAIL only after AUTH. Optional: also without, from trustedNetworks and with a client certificate; all " +
        "others are refused.",
    ),
  clientCertificates: z
    .enum(["None", "Optional", "Required"])
    .optional()
    .describe(
      "Whether clients are asked for a certificate in the TLS handshake, to be verified against " +
        "identities.clientCertificates. None, when absent: no. Optional: who shows one may log in with it (AUTH EXTERNAL), or " +
        "send without AUTH where authentication is Optional. Required: nobody sends without one.",
    ),
  factors: z
    .int()
    .min(1)
    .max(2)
    .optional()
    .describe(
      "How many proofs a client needs, 1 when absent. 2: its certificate and a login by something else, such as a password; " +
        "AUTH EXTERNAL, which is the certificate again, is no second one. Each grants for itself, and the two need not be of " +
        "one person.",
    ),
  trustedNetworks: trustedNetworks()
    .default([])
    .describe(
      "CIDR blocks whose clients may relay without AUTH, for sender domains that say `trustedNetworks: true`. Empty trusts nobody; the pod network is not trusted by itself.",
    ),
  sources: networkPeers()
    .optional()
    .describe(
      "Who may connect to this listener, as peers of a NetworkPolicy, in place of networkPolicy.clients. Where all are " +
        "networks (ipBlock) the relay itself turns everybody else away as well, with 421 4.7.1, by the address that it sees: " +
        "the PROXY header's with proxyProtocol, a node's behind externalTrafficPolicy Cluster. Connecting allows no relaying.",
    ),
  lineEnds: z
    .enum(["Strict", "Lenient"])
    .optional()
    .describe(
      "How lines of clients in trustedNetworks may end. Strict, when absent: with CRLF, everything else is refused, because a line feed alone can hide a message inside another. Lenient: also with a line feed alone, which leaves as CRLF. Other clients are always held to CRLF.",
    ),
  proxyProtocol: proxyProtocol
    .optional()
    .describe(
      "Set when a load balancer puts a PROXY header before each connection, so that the client's address is known.",
    ),
});

type Ports = readonly { port: number }[];

const portsAreDistinct: Rule<Ports> = {
  cel: "self.all(a, self.exists_one(b, (a.port < 1024 ? a.port + 2000 : a.port) == (b.port < 1024 ? b.port + 2000 : b.port)))",
  message: "must have ports that differ inside the pod too, where a port below 1024 becomes port + 2000",
  holds: (entries) => new Set(entries.map(({ port }) => containerPort(port))).size === entries.length,
};

const portsAreFree: Rule<Ports> = {
  cel: "self.all(a, !(a.port in [9464, 9465]))",
  message: "must not use ports 9464 and 9465: metrics and administration listen there",
  holds: (entries) => entries.every(({ port }) => !reservedPorts.includes(port)),
};

/** The plain port of every pod and its administration port have these names. */
const nameIsFree: Rule<readonly { name: string }[]> = {
  cel: "self.all(a, !(a.name in ['http', 'admin']))",
  message: "must not be named http or admin: the ports for metrics and administration of the pod are",
  holds: (entries) => entries.every(({ name }) => name !== "http" && name !== administrationPortName),
};

const listenerRules = [
  authenticationNeedsTls,
  lenientNeedsTrust,
  certificatesNeedTls,
  factorsNeedBoth,
  proxiedSourcesAreNetworks,
];

/** A certificate proves nothing as long as nobody says who signs it. */
export const certificatesNeedAuthority: Rule<Authorised> = {
  cel:
    "has(self.identities) && has(self.identities.clientCertificates) || " +
    "self.listeners.all(one, !has(one.clientCertificates) || one.clientCertificates == 'None')",
  message: "must name who signs them (caRef), because a listener asks for clientCertificates",
  at: ["identities", "clientCertificates"],
  holds: ({ identities, listeners: all }) =>
    identities.clientCertificates !== undefined ||
    all.every(({ clientCertificates = "None" }) => clientCertificates === "None"),
};

interface Authorised {
  readonly identities: { readonly clientCertificates?: object | undefined };
  readonly listeners: readonly { readonly clientCertificates?: string | undefined }[];
}

export const listeners = ruled(
  listMap(ruled(listener, listenerRules), "name", 16).min(1, {
    error: "must have at least one listener",
  }),
  [portsAreDistinct, portsAreFree, nameIsFree],
).describe("Where clients hand in mail; at least one. Each is a port of the client Service.");

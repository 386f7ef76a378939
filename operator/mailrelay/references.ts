/** What the spec of a MailRelay refers to: a new reference is one line here. Pure. */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { Stored } from "../kube/objects.ts";
import { declareReferences, declareSelections } from "../references/reference.ts";
import { issuedSecretName } from "../owned/names.ts";

type Relay = Stored<MailRelay>;

export const clientAuthoritiesField = "spec.identities.clientCertificates.caRef";

export const relayReferences = declareReferences<Relay>([
  ["spec.tls.secretRef", "certificate", ({ spec }) => spec.tls.secretRef],
  [
    "spec.tls.certManager",
    "issued",
    ({ metadata, spec }) => spec.tls.certManager && { name: issuedSecretName(metadata.name) },
  ],
  [
    "spec.delivery.smarthosts[].credentialsRef",
    "login",
    ({ spec }) => spec.delivery.smarthosts.map((hop) => hop.credentialsRef),
  ],
  ["spec.delivery.smarthosts[].caRef", "authorities", ({ spec }) => spec.delivery.smarthosts.map((hop) => hop.caRef)],
  [
    "spec.delivery.fallbackSmarthosts[].credentialsRef",
    "login",
    ({ spec }) => spec.delivery.fallbackSmarthosts.map((hop) => hop.credentialsRef),
  ],
  [
    "spec.delivery.fallbackSmarthosts[].caRef",
    "authorities",
    ({ spec }) => spec.delivery.fallbackSmarthosts.map((hop) => hop.caRef),
  ],
  ["spec.tracing.headersRef", "headers", ({ spec }) => spec.tracing?.headersRef],
  ["spec.tracing.caRef", "authorities", ({ spec }) => spec.tracing?.caRef],
  [clientAuthoritiesField, "clientAuthorities", ({ spec }) => spec.identities.clientCertificates?.caRef],
  ["spec.identities.oidc[].caRef", "authorities", ({ spec }) => spec.identities.oidc.map((issuer) => issuer.caRef)],
  // Of fields that are not acted on yet: nothing uses what they hold, and a wrong name is a mistake all the same.
  ["spec.events.sinks[].secretRef", "text", ({ spec }) => (spec.events?.sinks ?? []).map((sink) => sink.secretRef)],
]);

export const relaySelections = declareSelections<Relay>([
  ["spec.identities.credentials.secretSelector", ({ spec }) => spec.identities.credentials?.secretSelector],
]);

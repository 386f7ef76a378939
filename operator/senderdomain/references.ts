/** What the spec of a SenderDomain refers to: a new reference is one line here. Pure. */
import type { SenderDomain } from "../../api/senderdomain.ts";
import type { Stored } from "../kube/objects.ts";
import { declareReferences, declareSelections } from "../references/reference.ts";
import { managedSecretName } from "../dkim/privatekey.ts";

type Domain = Stored<SenderDomain>;

export function relayOf({ metadata, spec }: Pick<Domain, "metadata" | "spec">): {
  readonly namespace: string;
  readonly name: string;
} {
  const { namespace = metadata.namespace, name } = spec.relayRef;
  return { namespace, name };
}

export const domainReferences = declareReferences<Domain>([
  ["spec.dkim.keys[].secretRef", "signingKey", ({ spec }) => (spec.dkim?.keys ?? []).map((key) => key.secretRef)],
  // One of somebody else's may stand where a key is to be made: when it goes, its place is free.
  [
    "spec.dkim.managed.algorithms[]",
    "place",
    ({ metadata, spec }) =>
      (spec.dkim?.managed?.algorithms ?? []).map((algorithm) => ({
        name: managedSecretName(metadata.name, algorithm),
      })),
  ],
  ["spec.smarthosts[].credentialsRef", "login", ({ spec }) => spec.smarthosts.map((hop) => hop.credentialsRef)],
  ["spec.smarthosts[].caRef", "authorities", ({ spec }) => spec.smarthosts.map((hop) => hop.caRef)],
]);

const senderSelector = "spec.senders[].credentials.secretSelector";

export const domainSelections = declareSelections<Domain>([
  [senderSelector, ({ spec }) => spec.senders.map(({ credentials }) => credentials?.secretSelector)],
]);

/** Of the entry at that place. */
export function senderSelectorField(index: number): string {
  return senderSelector.replace("[]", `[${index}]`);
}

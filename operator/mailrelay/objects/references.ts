/** The Secrets that a MailRelay names, once: what is read, what wakes its relay when it changes, what status says of it. Pure. */
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Stored } from "../../kube/objects.ts";
import { secretText } from "../../kube/secret.ts";
import { readAuthorities } from "../certificate.ts";
import { issuedSecretName } from "./names.ts";
import { tracingSecretNames } from "./tracing.ts";
import { forbiddenProblem } from "../rights.ts";
import { smarthostSecretNames } from "../smarthost.ts";
import type { ReferenceProblem, RelayWorld } from "../world.ts";

/** Names, each once. */
export function namedSecrets(relay: Stored<MailRelay>): readonly string[] {
  const { tls, delivery } = relay.spec;
  const names = [
    tls.secretRef?.name,
    tls.certManager === undefined ? undefined : issuedSecretName(relay.metadata.name),
    ...smarthostSecretNames([...delivery.smarthosts, ...delivery.fallbackSmarthosts]),
    ...tracingSecretNames(relay.spec),
    ...bareReferences(relay).map(({ name }) => name),
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
}

interface BareReference {
  readonly field: string;
  readonly name: string;
  readonly dataKey: string;
  readonly use: "authority" | "key";
}

/** Those of fields that are not acted on yet: nothing reads their content, and a wrong name is a mistake all the same. */
function bareReferences({ spec }: Stored<MailRelay>): readonly BareReference[] {
  const { identities, events } = spec;
  const authority = identities.clientCertificates?.caRef;
  return [
    ...(authority === undefined
      ? []
      : [referenceTo("spec.identities.clientCertificates.caRef", authority, "authority")]),
    ...identities.oidc.flatMap(({ caRef }, index) =>
      caRef === undefined ? [] : [referenceTo(`spec.identities.oidc[${index}].caRef`, caRef, "authority")],
    ),
    ...(events?.sinks ?? []).flatMap(({ secretRef }, index) =>
      secretRef === undefined ? [] : [referenceTo(`spec.events.sinks[${index}].secretRef`, secretRef, "key")],
    ),
  ];
}

function referenceTo(
  field: string,
  { name, key }: { readonly name: string; readonly key: string },
  use: BareReference["use"],
): BareReference {
  return { field, name, dataKey: key, use };
}

export function bareReferenceProblems(world: RelayWorld): readonly ReferenceProblem[] {
  const { relay, secrets, forbidden, place } = world;
  const { namespace } = relay.metadata;
  return bareReferences(relay).flatMap(({ field, name, dataKey, use }): readonly ReferenceProblem[] => {
    if (forbidden.has(name)) return [forbiddenProblem({ field, namespace, place })];
    const secret = secrets.get(name);
    if (secret === undefined) {
      const message = `${field}: Secret ${name} does not exist: create it or correct the name`;
      return [{ kind: "missing", field, message }];
    }
    if (use === "authority") {
      const reading = readAuthorities(secretText(secret, dataKey), world.now, dataKey);
      const message = `${field}: Secret ${name} ${reading.kind === "usable" ? "" : reading.why}`;
      return reading.kind === "usable" ? [] : [{ kind: "invalid", field, message }];
    }
    if (secretText(secret, dataKey) !== undefined) return [];
    return [{ kind: "invalid", field, message: `${field}: Secret ${name} lacks the data key ${dataKey}: add it` }];
  });
}

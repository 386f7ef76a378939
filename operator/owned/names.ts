/** Names of the objects that belong to a MailRelay; each is spelled here and nowhere else. */
export const authoritySecretName = "mailboat-ca";
/** Of the operator and its pods among themselves; clients never see it. */
export const internalAuthoritySecretName = "mailboat-internal-ca";

export function configurationSecretName(relayName: string): string {
  return `${relayName}-configuration`;
}

export function certificateSecretName(relayName: string): string {
  return `${relayName}-certificate`;
}

/** What pods of the relay show to each other and to the operator. */
export function peerSecretName(relayName: string): string {
  return `${relayName}-peer`;
}

/** Where cert-manager puts what it issued; the pods mount a checked copy. */
export function issuedSecretName(relayName: string): string {
  return `${relayName}-issued`;
}

/** Gives every pod a name of its own in DNS. */
export function headlessServiceName(relayName: string): string {
  return `${relayName}-pods`;
}

export const spoolVolume = "spool";

/** StatefulSets number their pods and claims from 0. */
export function podNameAt(relayName: string, ordinal: number): string {
  return `${relayName}-${ordinal}`;
}

export function claimNameAt(relayName: string, ordinal: number): string {
  return `${spoolVolume}-${relayName}-${ordinal}`;
}

/** The number at the end of a pod's or claim's name; undefined when it is not one of this relay's. */
export function ordinalOf(prefix: string, name: string): number | undefined {
  const digits = name.startsWith(`${prefix}-`) ? name.slice(prefix.length + 1) : "";
  return /^(0|[1-9][0-9]{0,4})$/.test(digits) ? Number(digits) : undefined;
}

export const usualClusterDomain = "cluster.local";

/** Names that clients inside the cluster may dial, for our own certificates. */
export function clientNames(
  relay: { readonly name: string; readonly namespace: string },
  clusterDomain: string,
): readonly string[] {
  const { name, namespace } = relay;
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.${clusterDomain}`];
}

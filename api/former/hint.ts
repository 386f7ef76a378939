/** What a person is told of a field of the first edition: what it is called today, and what prints the manifest anew. Pure. */

/** Prints manifests with today's names. */
export const convertCommand = "node operator/main.ts convert FILE";

/** Today's names of all that the first edition called otherwise. */
const names: ReadonlyMap<string, string> = new Map([
  ["authentication", "identities"],
  ["allowedNamespaces", "tenants"],
  ["secretName", "secretRef"],
  ["headersSecretName", "headersRef"],
  ["credentialsSecretName", "credentialsRef"],
  ["caSecretName", "caRef"],
  ["addresses", "localParts"],
  ["webhook", "sinks"],
]);

/** The same name for a field that has kept its own. */
export function todaysName(field: string): string {
  return names.get(field) ?? field;
}

/** What to do about a field of the first edition; undefined of any other. `known` are today's fields of the same place. */
export function formerHint(field: string, known: readonly string[]): string | undefined {
  const today = names.get(field);
  return today === undefined || !known.includes(today) ? undefined : renamedHint(today);
}

export function renamedHint(today: string): string {
  return `is called ${today} now: \`${convertCommand}\` prints the manifest as it is written today`;
}

/**
 * Continues what is said of a stored resource that cannot be read. Entries without names and references are all that tells of the
 * first edition where its own fields are gone already.
 */
export function convertHint(faults: readonly string[]): string {
  const isOfFirstEdition = faults.some((fault) => /\.(name|secretRef): is required|^spec\.tls: /.test(fault));
  return isOfFirstEdition
    ? `; \`${convertCommand}\` prints manifests of the first edition as they are written today`
    : "";
}

/** A CustomResourceDefinition as a template of the chart: upgraded with it, and kept when the release goes. Pure. */

const opening = "{{";

/** The text of the definition with the chart's switches around it. Throws when the definition no longer begins as expected. */
export function chartTemplate(definition: string): string {
  const [head, name, spec] = /^([^]*?metadata:\n)(  name: \S+\n)(spec:\n[^]*)$/.exec(definition)?.slice(1) ?? [];
  if (head === undefined || name === undefined || spec === undefined) {
    throw new Error("a definition begins with apiVersion, kind, metadata.name and spec");
  }
  return [
    "{{- /* Generated from the schemas in api/ by `make generate`; do not edit. */}}\n",
    "{{- if .Values.crds.enabled }}\n",
    head,
    name,
    "  labels:\n",
    '    {{- include "mailboat.labels" . | nindent 4 }}\n',
    "  {{- if .Values.crds.keep }}\n",
    "  annotations:\n",
    "    helm.sh/resource-policy: keep\n",
    "  {{- end }}\n",
    // A description may show a template of somebody else.
    spec.replaceAll(opening, `${opening} "${opening}" }}`),
    "{{- end }}\n",
  ].join("");
}

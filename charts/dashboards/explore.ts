/**
 * Links into Grafana's Explore: the log lines and the traces behind what a panel shows. They name the sources that were chosen
 * at the top; where there is none of the kind, the link opens Explore with nothing chosen.
 */

/** What is replaced by Grafana when the link is followed: `${logs}`, `${__data.fields.Destination}`. */
const replaced = /\$\{[^}]+\}/g;

interface Pane {
  readonly datasource: "${logs}" | "${traces}";
  readonly query: Readonly<Record<string, unknown>>;
}

/** Grafana replaces before it decodes: what is replaced must stand as it is, everything else encoded. */
function exploreUrl({ datasource, query }: Pane): string {
  const panes = {
    mailboat: {
      datasource,
      queries: [{ refId: "A", datasource: { uid: datasource }, ...query }],
      range: { from: "${__from}", to: "${__to}" },
    },
  };
  const kept: string[] = [];
  const marked = JSON.stringify(panes).replaceAll(replaced, (variable) => {
    kept.push(variable);
    return `@${kept.length - 1}@`;
  });
  const encoded = encodeURIComponent(marked).replaceAll(
    /%40(\d+)%40/g,
    (_, index: string) => kept[Number(index)] ?? "",
  );
  return `/explore?schemaVersion=1&panes=${encoded}`;
}

/** Which container: the relay's, or the operator's. */
export type Program = "relay" | "operator";

/** Lines of a log, in LogQL; labels are those that Kubernetes' collectors of logs give. */
export function logsUrl(program: Program, filter = ""): string {
  // The operator has one namespace of its own, and no choice of it.
  const place = program === "relay" ? ', namespace=~"${namespace:regex}"' : "";
  const expr = `{container="${program}"${place}} ${filter}`.trim();
  return exploreUrl({ datasource: "${logs}", query: { expr, queryType: "range" } });
}

export function tracesUrl(query: string): string {
  return exploreUrl({ datasource: "${traces}", query: { query, queryType: "traceql" } });
}

/** What became of mail at a destination, one line for each attempt that did not deliver. */
export function destinationLogsUrl(destination: string): string {
  return logsUrl("relay", `|= \`"recipientDomain":"${destination}"\` |~ \`"msg":"(deferred|failed)"\``);
}

export function destinationTracesUrl(destination: string): string {
  return tracesUrl(`{resource.service.name="mailboat-relay" && span.mailboat.recipient.domains="${destination}"}`);
}

/** A dashboard as a list of rows, and what all of them have in common. */
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  RowBuilder,
  type Dashboard,
  type VariableModel,
} from "@grafana/grafana-foundation-sdk/dashboard";
import type { BuildsPanel } from "./panel.ts";

export interface Row {
  readonly title: string;
  readonly panels: readonly BuildsPanel[];
}

export interface DashboardWords {
  /** Never changes: links and bookmarks hold it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly { build(): VariableModel }[];
  readonly rows: readonly Row[];
}

/**
 * In the first schema, because files of it are read by every Grafana from 10 on; the second needs Grafana 12 and a reader
 * that knows it. Links to other dashboards keep the variables that were chosen.
 */
// oxlint-disable-next-line typescript/no-deprecated
export function buildDashboard(words: DashboardWords): Dashboard {
  // oxlint-disable-next-line typescript/no-deprecated
  const builder = new DashboardBuilder(words.title)
    .uid(words.uid)
    .description(words.description)
    .tags(["mailboat"])
    .readonly()
    .refresh("30s")
    .time({ from: "now-1h", to: "now" })
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...words.variables])
    .links([
      new DashboardLinkBuilder("Mailboat")
        .type(DashboardLinkType.Dashboards)
        .tags(["mailboat"])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
      new DashboardLinkBuilder("Traces")
        .type(DashboardLinkType.Link)
        .url(
          '/explore?schemaVersion=1&panes={"t":{"datasource":"${traces}","queries":[{"refId":"A","queryType":"traceql","query":"{resource.service.name=\\"mailboat-relay\\"}"}]}}',
        )
        .keepTime(true),
    ]);
  for (const row of words.rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panel);
  }
  return builder.build();
}

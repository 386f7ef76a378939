/** A dashboard as a list of rows, and what all of them have in common. */
import {
  type AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  RowBuilder,
  type Dashboard,
  type VariableModel,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { logsUrl, type Program, tracesUrl } from "./explore.ts";
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
  /** Whose traces and log lie behind it: the name of the container. */
  readonly program: Program;
  readonly variables: readonly { build(): VariableModel }[];
  /** What happened, drawn over every graph. */
  readonly annotations: readonly AnnotationQueryBuilder[];
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
    .annotations([...words.annotations])
    .links([
      new DashboardLinkBuilder("Mailboat")
        .type(DashboardLinkType.Dashboards)
        .tags(["mailboat"])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
      new DashboardLinkBuilder("Traces")
        .type(DashboardLinkType.Link)
        .url(tracesUrl(`{resource.service.name="mailboat-${words.program}"}`)),
      new DashboardLinkBuilder("Logs").type(DashboardLinkType.Link).url(logsUrl(words.program)),
    ]);
  for (const row of words.rows) {
    builder.withRow(new RowBuilder(row.title));
    for (const panel of row.panels) builder.withPanel(panel);
  }
  return builder.build();
}

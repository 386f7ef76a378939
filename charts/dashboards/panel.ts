/** The look that all panels share, and the words in which a dashboard file says what a panel shows. */
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  FieldColorBuilder,
  FieldColorModeId,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Panel,
  type Threshold,
} from "@grafana/grafana-foundation-sdk/dashboard";
import {
  LegendDisplayMode,
  LegendPlacement,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
} from "@grafana/grafana-foundation-sdk/common";
import {
  ReduceDataOptionsBuilder,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { runbookUrl } from "../runbook.ts";

export interface Query {
  readonly expr: string;
  /** Grafana's form: `{{label}}`. */
  readonly legend: string;
  /** Shows the traces of single messages as points that lead to them. */
  readonly exemplar?: true;
}

export interface PanelWords {
  readonly title: string;
  /** What is seen, and what to do when it looks wrong. */
  readonly description: string;
  /** Grafana's name of a unit, such as `s`, `bytes`, `reqps`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Where a value becomes a warning and where an alarm. */
  readonly thresholds?: { readonly warning: number; readonly critical: number };
  /** The part of the operations page that tells what to do. */
  readonly runbook?: string;
}

export interface PanelSize {
  /** Of 24 columns. */
  readonly width: number;
  /** In rows of 30 pixels. */
  readonly height: number;
}

export const half: PanelSize = { width: 12, height: 8 };
export const third: PanelSize = { width: 8, height: 8 };
export const quarter: PanelSize = { width: 6, height: 8 };

/** What a dashboard takes: something that ends in a panel. */
export interface BuildsPanel {
  build(): Panel;
}

const datasource = { type: "prometheus", uid: "${datasource}" };
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

function target({ expr, legend, exemplar }: Query, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder()
    .expr(expr)
    .legendFormat(legend)
    .datasource(datasource)
    .refId(letters.charAt(index));
  return exemplar === true ? query.exemplar(true) : query;
}

function steps({ thresholds }: PanelWords): ThresholdsConfigBuilder {
  const { warning, critical } = thresholds ?? {};
  const values: Threshold[] = [{ value: null, color: "green" }];
  if (warning !== undefined) values.push({ value: warning, color: "orange" });
  if (critical !== undefined) values.push({ value: critical, color: "red" });
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(values);
}

function runbookLinks({ runbook }: PanelWords): DashboardLinkBuilder[] {
  if (runbook === undefined) return [];
  return [
    new DashboardLinkBuilder("What to do").type(DashboardLinkType.Link).url(runbookUrl(runbook)).targetBlank(true),
  ];
}

/** Lines over time. */
export function graph(words: PanelWords, size: PanelSize): BuildsPanel {
  return new TimeseriesBuilder()
    .title(words.title)
    .description(words.description)
    .datasource(datasource)
    .targets(words.queries.map(target))
    .unit(words.unit)
    .min(0)
    .thresholds(steps(words))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .lineWidth(1)
    .fillOpacity(8)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs([]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .links(runbookLinks(words))
    .span(size.width)
    .height(size.height);
}

/** One number, the last one. */
export function figure(words: PanelWords, size: PanelSize): BuildsPanel {
  return new StatBuilder()
    .title(words.title)
    .description(words.description)
    .datasource(datasource)
    .targets(words.queries.map(target))
    .unit(words.unit)
    .thresholds(steps(words))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .links(runbookLinks(words))
    .span(size.width)
    .height(size.height);
}

/** A row for each series, its labels as columns, as of now. */
export function table(words: PanelWords, size: PanelSize): BuildsPanel {
  const targets = words.queries.map((query, index) => target(query, index).instant().format(PromQueryFormat.Table));
  return new TableBuilder()
    .title(words.title)
    .description(words.description)
    .datasource(datasource)
    .targets(targets)
    .unit(words.unit)
    .thresholds(steps(words))
    .withTransformation({ id: "organize", options: { excludeByName: { Time: true } } })
    .links(runbookLinks(words))
    .span(size.width)
    .height(size.height);
}

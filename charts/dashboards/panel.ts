/** The look that all panels share, and the words in which a dashboard file says what a panel shows. */
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Panel,
  type Threshold,
} from "@grafana/grafana-foundation-sdk/dashboard";
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { runbookUrl } from "../runbook.ts";
import { colouredWords, matcherOf } from "./meanings.ts";
import { inWords, type Unit, units } from "./units.ts";

export interface Query {
  readonly expr: string;
  /** Grafana's form: `{{label}}`. */
  readonly legend: string;
  /** Shows the traces of single messages as points that lead to them. */
  readonly exemplar?: true;
}

/**
 * Where a value becomes a warning and where an alarm; critical below warning: lower is worse. Or the least that there must be.
 */
export type Thresholds = { readonly warning: number; readonly critical: number } | { readonly atLeast: number };

export interface Link {
  readonly title: string;
  readonly url: string;
}

export interface PanelWords {
  readonly title: string;
  /** What is seen, and what to do when it looks wrong. What the thresholds are is added. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  readonly thresholds?: Thresholds;
  /** The part of the operations page that tells what to do. */
  readonly runbook?: string;
  /** From a value to what is behind it. */
  readonly links?: readonly Link[];
  /** Of the axis; without it the largest value. */
  readonly max?: number;
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

export const datasource = { type: "prometheus", uid: "${datasource}" };
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
/**
 * Grafana makes `$__rate_interval` four times this, unless the data source says more. At 15 s, its own default, a Prometheus that
 * scrapes once a minute has one point in it, and every rate is empty; two minutes hold two.
 */
const leastStep = "30s";

export function target({ expr, legend, exemplar }: Query, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder()
    .expr(expr)
    .legendFormat(legend)
    .datasource(datasource)
    .refId(letters.charAt(index))
    .interval(leastStep);
  return exemplar === true ? query.exemplar(true) : query;
}

function isLowerWorse(thresholds: Thresholds): boolean {
  return "atLeast" in thresholds || thresholds.critical < thresholds.warning;
}

/**
 * The lowest step is also the colour of no value at all, which is no judgement: it is that of text, and the limits begin at 0. Red
 * without a value is left to what must always be there, and to what may be below 0.
 */
function figureSteps({ thresholds, unit }: Pick<PanelWords, "thresholds" | "unit">): Threshold[] {
  if (thresholds === undefined) return [{ value: null, color: "text" }];
  const steps = graphSteps(thresholds);
  if (isLowerWorse(thresholds) && unit !== units.share) return steps;
  return [{ value: null, color: "text" }, ...steps.map(({ value, color }) => ({ value: value ?? 0, color }))];
}

export function graphSteps(thresholds: Thresholds | undefined): Threshold[] {
  if (thresholds === undefined) return [{ value: null, color: "green" }];
  if ("atLeast" in thresholds) return stepsOf(["red", "green"], [thresholds.atLeast]);
  const { warning, critical } = thresholds;
  return isLowerWorse(thresholds)
    ? stepsOf(["red", "orange", "green"], [critical, warning])
    : stepsOf(["green", "orange", "red"], [warning, critical]);
}

/** A colour more than limits: the first is that of everything below. */
function stepsOf(colors: readonly string[], limits: readonly number[]): Threshold[] {
  return colors.map((color, index) => ({ value: limits[index - 1] ?? null, color }));
}

export function stepsConfig(steps: Threshold[]): ThresholdsConfigBuilder {
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

/** "Orange from 50 ms, red from 500 ms." */
export function thresholdWords({ thresholds, unit }: Pick<PanelWords, "thresholds" | "unit">): string {
  if (thresholds === undefined) return "";
  if ("atLeast" in thresholds) return ` Red below ${inWords(thresholds.atLeast, unit)}.`;
  const { warning, critical } = thresholds;
  const side = isLowerWorse(thresholds) ? "below" : "from";
  return ` Orange ${side} ${inWords(warning, unit)}, red ${side} ${inWords(critical, unit)}.`;
}

export function runbookLinks({ runbook }: Pick<PanelWords, "runbook">): DashboardLinkBuilder[] {
  if (runbook === undefined) return [];
  return [
    new DashboardLinkBuilder("What to do").type(DashboardLinkType.Link).url(runbookUrl(runbook)).targetBlank(true),
  ];
}

export function dataLinks(links: readonly Link[]): DashboardLinkBuilder[] {
  return links.map(({ title, url }) =>
    new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(true),
  );
}

interface Override {
  readonly matcher: { readonly id: string; readonly options: string };
  readonly properties: DynamicConfigValue[];
}

/** The colours of the series that have a meaning; a limit is a dashed line without an area. */
function colours({ queries }: PanelWords): Override[] {
  return colouredWords(queries.map(({ legend }) => legend)).map(({ word, colour, isShared }) => {
    const mode = isShared ? FieldColorModeId.Shades : FieldColorModeId.Fixed;
    const properties: DynamicConfigValue[] = [{ id: "color", value: { mode, fixedColor: colour } }];
    if (word === "limit" || word === "wanted")
      properties.push(
        { id: "custom.lineStyle", value: { fill: "dash", dash: [10, 10] } },
        { id: "custom.fillOpacity", value: 0 },
      );
    return { matcher: { id: "byRegexp", options: matcherOf(word) }, properties };
  });
}

/** Lines over time. */
export function graph(words: PanelWords, size: PanelSize): BuildsPanel {
  const style = words.thresholds === undefined ? GraphThresholdsStyleMode.Off : GraphThresholdsStyleMode.Dashed;
  const panel = new TimeseriesBuilder()
    .title(words.title)
    .description(words.description + thresholdWords(words))
    .datasource(datasource)
    .targets(words.queries.map(target))
    .unit(words.unit)
    .min(0)
    .thresholds(stepsConfig(graphSteps(words.thresholds)))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(style))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .overrides(colours(words))
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
    .dataLinks(dataLinks(words.links ?? []))
    .span(size.width)
    .height(size.height);
  return words.max === undefined ? panel : panel.max(words.max);
}

/**
 * One number, that of now: an instant query, because the last point of a range may be an hour old, and what stopped answering
 * would be shown as it was. With thresholds its colour judges it; without, it has none.
 */
export function figure(words: PanelWords, size: PanelSize): BuildsPanel {
  const isJudged = words.thresholds !== undefined;
  const colour = colouredWords(words.queries.map(({ legend }) => legend))[0]?.colour ?? "text";
  const scheme = isJudged
    ? new FieldColorBuilder().mode(FieldColorModeId.Thresholds)
    : new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(colour);
  return new StatBuilder()
    .title(words.title)
    .description(words.description + thresholdWords(words))
    .datasource(datasource)
    .targets(words.queries.map((query, index) => target(query, index).instant()))
    .unit(words.unit)
    .noValue("no data")
    .thresholds(stepsConfig(figureSteps(words)))
    .colorScheme(scheme)
    .colorMode(isJudged ? BigValueColorMode.Value : BigValueColorMode.None)
    .graphMode(BigValueGraphMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]))
    .links(runbookLinks(words))
    .dataLinks(dataLinks(words.links ?? []))
    .span(size.width)
    .height(size.height);
}

/** A row for each thing, as of now. Columns have names in words: what a query does not name a column for is not shown. */
import {
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { TableSortByFieldStateBuilder } from "@grafana/grafana-foundation-sdk/common";
import { PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import {
  type BuildsPanel,
  dataLinks,
  datasource,
  graphSteps,
  type Link,
  type PanelSize,
  type PanelWords,
  runbookLinks,
  stepsConfig,
  target,
  thresholdWords,
  type Thresholds,
} from "./panel.ts";
import { units, type Unit } from "./units.ts";

/** What a label of the series says. */
export interface LabelColumn {
  readonly label: string;
  readonly header: string;
  /** Other words for a value. */
  readonly words?: Readonly<Record<string, string>>;
  readonly colours?: Readonly<Record<string, string>>;
  readonly links?: readonly Link[];
  readonly width?: number;
}

/** The value of a query; all queries of a table have the same labels. */
export interface ValueColumn {
  readonly header: string;
  readonly expr: string;
  readonly unit: Unit;
  readonly thresholds?: Thresholds;
  readonly width?: number;
}

export interface TableWords extends Pick<PanelWords, "title" | "description" | "runbook"> {
  readonly labels: readonly LabelColumn[];
  readonly values: readonly ValueColumn[];
  /** Header of the column whose largest value is on top. */
  readonly largestFirst?: string;
  /** The number only makes a row: the labels say everything. */
  readonly hidesValue?: true;
  readonly noValue?: string;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Grafana's name for the value of a query: with several, its letter stands behind. */
function valueField(index: number, { values }: TableWords): string {
  return values.length === 1 ? "Value" : `Value #${letters.charAt(index)}`;
}

function valueOverride({ unit, thresholds, width }: ValueColumn): DynamicConfigValue[] {
  return [
    { id: "unit", value: unit },
    ...(width === undefined ? [] : [{ id: "custom.width", value: width }]),
    ...(thresholds === undefined
      ? []
      : [
          { id: "thresholds", value: stepsConfig(graphSteps(thresholds)).build() },
          { id: "color", value: { mode: FieldColorModeId.Thresholds } },
          { id: "custom.cellOptions", value: { type: "color-text" } },
        ]),
  ];
}

function labelOverride({ words = {}, colours = {}, links = [], width }: LabelColumn): DynamicConfigValue[] {
  const texts = new Set([...Object.keys(words), ...Object.keys(colours)]);
  const options = Object.fromEntries(
    [...texts].map((value, index) => [value, { text: words[value] ?? value, color: colours[value], index }]),
  );
  return [
    ...(width === undefined ? [] : [{ id: "custom.width", value: width }]),
    ...(texts.size === 0 ? [] : [{ id: "mappings", value: [{ type: "value", options }] }]),
    ...(Object.keys(colours).length === 0 ? [] : [{ id: "custom.cellOptions", value: { type: "color-text" } }]),
    ...(links.length === 0 ? [] : [{ id: "links", value: dataLinks(links).map((link) => link.build()) }]),
  ];
}

export function table(words: TableWords, size: PanelSize): BuildsPanel {
  const { title, labels, values } = words;
  const fields = new Map([
    ...labels.map(({ label, header }) => [label, header] as const),
    ...values.map(({ header }, index) => [valueField(index, words), header] as const),
  ]);
  const hidden = ["Time", ...(words.hidesValue === true ? values.map((_, index) => valueField(index, words)) : [])];
  const shownValues = words.hidesValue === true ? [] : values;
  const panel = new TableBuilder()
    .title(title)
    .description(words.description + shownValues.map((value) => columnWords(value)).join(""))
    .datasource(datasource)
    .targets(
      values.map(({ expr, header }, index) =>
        target({ expr, legend: header }, index).instant().format(PromQueryFormat.Table),
      ),
    )
    .unit(units.number)
    .noValue(words.noValue ?? "-")
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .thresholds(stepsConfig([{ value: null, color: "text" }]))
    .transformations([
      ...(values.length === 1 ? [] : [{ id: "merge", options: {} }]),
      {
        id: "organize",
        options: {
          excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
          indexByName: Object.fromEntries([...fields.keys()].map((name, index) => [name, index])),
          renameByName: Object.fromEntries(fields),
        },
      },
    ])
    .overrides([
      ...labels.map((column) => ({ matcher: byName(column.header), properties: labelOverride(column) })),
      ...shownValues.map((column) => ({ matcher: byName(column.header), properties: valueOverride(column) })),
    ])
    .links(runbookLinks(words))
    .span(size.width)
    .height(size.height);
  const { largestFirst } = words;
  if (largestFirst === undefined) return panel;
  return panel.sortBy([new TableSortByFieldStateBuilder().displayName(largestFirst).desc(true)]);
}

function columnWords(column: ValueColumn): string {
  return column.thresholds === undefined ? "" : ` ${column.header}:${thresholdWords(column).toLowerCase()}`;
}

function byName(name: string): { readonly id: string; readonly options: string } {
  return { id: "byName", options: name };
}

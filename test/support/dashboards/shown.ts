/** What a person reads on a panel: the texts and colours that its JSON and a Prometheus make together. */
import { seriesHex } from "./colours.ts";
import { type AnnotationJson, lookOf, organizeOf, type PanelJson, stepColour } from "./json.ts";
import type { PrometheusReader, Range, Sample } from "./reader.ts";
import { named, worded } from "./words.ts";

/** What is asked, and of which moment. */
export interface Moment {
  readonly reader: PrometheusReader;
  readonly range: Range;
  /** Puts values in place of the dashboard's variables. */
  readonly filledIn: (expr: string) => string;
}

export interface Shown {
  readonly name: string;
  readonly text: string;
  /** One of Grafana's names; `text` is that of no judgement. */
  readonly colour: string;
}

export interface Figure {
  readonly kind: "figure";
  readonly shown: readonly Shown[];
}

export interface ShownLine {
  readonly name: string;
  readonly hex: string;
  readonly isDashed: boolean;
  readonly points: readonly (readonly [at: number, value: number])[];
}

export interface Graph {
  readonly kind: "graph";
  readonly lines: readonly ShownLine[];
}

export interface Table {
  readonly kind: "table";
  readonly headers: readonly string[];
  readonly rows: readonly (readonly Omit<Shown, "name">[])[];
}

export async function figureOf(panel: PanelJson, { reader, range, filledIn }: Moment): Promise<Figure> {
  const { noValue } = panel.fieldConfig.defaults;
  const shown: Shown[] = [];
  for (const { expr, legendFormat } of panel.targets) {
    for (const { labels, value } of await reader.at(filledIn(expr), range.until)) {
      const name = named(legendFormat, labels);
      const { unit, steps, colour } = lookOf(panel, name);
      const judged = colour.mode === "thresholds" ? stepColour(steps, Number.isNaN(value) ? undefined : value) : "text";
      shown.push({ name, text: worded({ value, unit, now: range.until }), colour: judged });
    }
  }
  const nothing = { name: "", text: noValue, colour: stepColour(lookOf(panel, "").steps, undefined) };
  return { kind: "figure", shown: shown.length === 0 ? [nothing] : shown };
}

export async function graphOf(panel: PanelJson, { reader, range, filledIn }: Moment): Promise<Graph> {
  const asked = panel.targets.map(async ({ expr, legendFormat }) => {
    const found = await reader.over(filledIn(expr), range);
    return found.map(({ labels, points }) => ({ name: named(legendFormat, labels), points }));
  });
  const found = (await Promise.all(asked)).flat();
  const shades = new Map<string, number>();
  const lines = found.map(({ name, points }) => {
    const look = lookOf(panel, name);
    const nth = shades.get(look.colour.fixedColor ?? "") ?? 0;
    shades.set(look.colour.fixedColor ?? "", nth + 1);
    const finite = points.filter(([, value]) => Number.isFinite(value));
    return { name, hex: seriesHex(look, name, nth), isDashed: look.isDashed, points: finite };
  });
  return { kind: "graph", lines };
}

/** A row for each set of labels; the values of several queries stand beside each other, as Grafana merges them. */
export async function tableOf(panel: PanelJson, { reader, range, filledIn }: Moment): Promise<Table> {
  const { excludeByName, indexByName, renameByName } = organizeOf(panel);
  const rows = new Map<string, Record<string, string | number>>();
  for (const { expr, refId } of panel.targets) {
    const field = panel.targets.length === 1 ? "Value" : `Value #${refId}`;
    for (const { labels, value } of await reader.at(filledIn(expr), range.until)) {
      const key = JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => one.localeCompare(other)));
      rows.set(key, { ...rows.get(key), ...visible(labels), [field]: value });
    }
  }
  const fields = [...new Set([...rows.values()].flatMap((each) => Object.keys(each)))]
    .filter((field) => excludeByName[field] !== true)
    .toSorted((one, other) => (indexByName[one] ?? 99) - (indexByName[other] ?? 99));
  const headers = fields.map((field) => renameByName[field] ?? field);
  const [order] = panel.options.sortBy;
  const by = fields[headers.indexOf(order?.displayName ?? "")];
  const sorted = [...rows.values()].toSorted(
    (one, other) => Number(other[by ?? ""] ?? -1) - Number(one[by ?? ""] ?? -1),
  );
  return {
    kind: "table",
    headers,
    rows: sorted.map((each) =>
      fields.map((field, index) => cell({ panel, header: headers[index] ?? "", now: range.until }, each[field])),
    ),
  };
}

function visible(labels: Sample["labels"]): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => name !== "__name__"));
}

interface CellPlace {
  readonly panel: PanelJson;
  readonly header: string;
  readonly now: number;
}

function cell({ panel, header, now }: CellPlace, value: string | number | undefined): Omit<Shown, "name"> {
  const { unit, steps, mappings, isCellColoured } = lookOf(panel, header);
  if (value === undefined) return { text: "", colour: "text" };
  if (typeof value === "number") {
    const colour = isCellColoured ? stepColour(steps, Number.isNaN(value) ? undefined : value) : "text";
    return { text: worded({ value, unit, now }), colour };
  }
  const mapped = mappings.map(({ options }) => options[value]).find((each) => each !== undefined);
  return { text: mapped?.text ?? value, colour: (isCellColoured ? mapped?.color : undefined) ?? "text" };
}

/** A mark over every graph: a moment, or a time from one to another. */
export interface Mark {
  readonly kind: string;
  readonly title: string;
  readonly colour: string;
  readonly from: number;
  readonly until: number;
}

/** Points next to each other are one mark, as in Grafana. */
export async function marksOf(
  annotation: AnnotationJson,
  { reader, range, filledIn }: Moment,
): Promise<readonly Mark[]> {
  const lines = await reader.over(filledIn(annotation.expr), range);
  return lines.flatMap(({ labels, points }) => {
    const found = { kind: annotation.name, title: named(annotation.titleFormat, labels), colour: annotation.iconColor };
    const times = points.map(([at, value]) => (annotation.useValueForTime ? value / 1000 : at));
    const marks: { from: number; until: number }[] = [];
    for (const at of times) {
      const last = marks.at(-1);
      if (last !== undefined && at <= last.until + range.stepSeconds) last.until = Math.max(at, last.until);
      else marks.push({ from: at, until: at });
    }
    return marks.filter(({ until }) => until >= range.from).map((mark) => ({ ...found, ...mark }));
  });
}

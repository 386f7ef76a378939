/** Lines over time, with the limits and the marks that lie over them. */
import { init, type EChartsCoreOption } from "echarts";
import { hexOf } from "./colours.ts";
import { boxOf, centred } from "./drawtext.ts";
import type { PanelJson } from "./json.ts";
import type { Range } from "./reader.ts";
import type { Graph, Mark } from "./shown.ts";
import { worded } from "./words.ts";

export interface Over {
  readonly range: Range;
  readonly marks: readonly Mark[];
}

export function drawGraph(panel: PanelJson, graph: Graph, over: Over): string {
  const box = boxOf(panel);
  if (graph.lines.every(({ points }) => points.length === 0)) return centred(box, "No data");
  const chart = init(null, null, { renderer: "svg", ssr: true, width: box.width, height: box.height });
  chart.setOption(optionOf(panel, graph, over));
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

function optionOf(panel: PanelJson, { lines }: Graph, { range, marks }: Over): EChartsCoreOption {
  const { unit, max } = panel.fieldConfig.defaults;
  return {
    animation: false,
    grid: { left: 70, right: 14, top: 34, bottom: 46 },
    legend: {
      bottom: 4,
      left: 10,
      type: "scroll",
      itemWidth: 12,
      itemHeight: 3,
      itemGap: 22,
      textStyle: { fontSize: 10 },
      data: lines.map(({ name }) => name),
    },
    xAxis: {
      type: "time",
      min: range.from * 1000,
      max: range.until * 1000,
      axisLabel: { fontSize: 10, formatter: "{HH}:{mm}:{ss}", hideOverlap: true },
    },
    yAxis: {
      type: "value",
      min: 0,
      ...(max === undefined ? {} : { max }),
      axisLabel: { fontSize: 10, formatter: (value: number) => worded({ value, unit, now: range.until }) },
    },
    series: [
      ...lines.map(({ name, hex, isDashed, points }) => ({
        name,
        type: "line",
        color: hex,
        showSymbol: points.length === 1,
        lineStyle: { width: 1.5, type: isDashed ? "dashed" : "solid" },
        areaStyle: { opacity: isDashed ? 0 : 0.08 },
        data: points.map(([at, value]) => [at * 1000, value]),
      })),
      overlay(panel, marks),
    ],
  };
}

/** A series without points that carries what lies over the others. */
function overlay({ fieldConfig: { defaults } }: PanelJson, marks: readonly Mark[]): object {
  const mode = defaults.custom.thresholdsStyle?.mode ?? "off";
  const limits = mode === "off" ? [] : defaults.thresholds.steps;
  const limitLines = limits.flatMap(({ value, color }) =>
    value === null ? [] : [{ yAxis: value, lineStyle: { color: hexOf(color), type: "dashed", width: 1.2 } }],
  );
  const moments = marks.map(({ from, colour }) => ({
    xAxis: from * 1000,
    lineStyle: { color: hexOf(colour), type: "dashed", width: 1 },
  }));
  const times = marks
    .filter(({ from, until }) => until > from)
    .map(({ from, until, colour }) => [
      { xAxis: from * 1000, itemStyle: { color: hexOf(colour), opacity: 0.08 } },
      { xAxis: until * 1000 },
    ]);
  return {
    name: "limits and marks",
    type: "line",
    data: [],
    markLine: { silent: true, symbol: "none", label: { show: false }, data: [...limitLines, ...moments] },
    markArea: { silent: true, data: times },
  };
}

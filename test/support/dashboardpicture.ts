/** Draws a dashboard from what Prometheus has, as one SVG: what a person sees in Grafana, without Grafana. */
import { init, type EChartsCoreOption } from "echarts";
import { z } from "zod";
import type { Prometheus, Sample } from "./prometheus.ts";

const panelSchema = z.looseObject({
  type: z.string(),
  title: z.string().default(""),
  gridPos: z.object({ h: z.number(), w: z.number(), x: z.number(), y: z.number() }),
  fieldConfig: z.object({ defaults: z.object({ unit: z.string().default("short") }) }).optional(),
  targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
});
const dashboardSchema = z.object({ title: z.string(), panels: z.array(panelSchema) });
type Panel = z.infer<typeof panelSchema>;

export interface PictureOptions {
  readonly dashboard: unknown;
  readonly prometheus: Prometheus;
  /** Puts values in place of the dashboard's variables. */
  readonly filledIn: (expr: string) => string;
  /** How far back lines go. */
  readonly seconds: number;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const column = 50;
const row = 36;
const gap = 4;
const head = 44;
const ink = "#24292f";
const faint = "#6e7781";
const font = "font-family='Helvetica, Arial, sans-serif'";

export async function drawDashboard(options: PictureOptions): Promise<string> {
  const { title, panels } = dashboardSchema.parse(JSON.parse(JSON.stringify(options.dashboard)));
  const height = head + Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * row;
  const drawn: string[] = [];
  for (const panel of panels) drawn.push(await drawPanel(panel, options));
  const width = 24 * column;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<rect width="100%" height="100%" fill="#f4f5f5"/>`,
    `<text x="8" y="28" ${font} font-size="18" fill="${ink}">${escaped(title)}</text>`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

async function drawPanel(panel: Panel, options: PictureOptions): Promise<string> {
  const { x, y, w, h } = panel.gridPos;
  const box = { x: x * column + gap, y: head + y * row + gap, width: w * column - 2 * gap, height: h * row - 2 * gap };
  if (panel.type === "row") {
    return `<text x="${box.x + 4}" y="${box.y + 20}" ${font} font-size="14" fill="${faint}">${escaped(panel.title)}</text>`;
  }
  const content = panel.type === "timeseries" ? await lines(panel, box, options) : await values(panel, box, options);
  return [
    `<g transform="translate(${box.x} ${box.y})">`,
    `<rect width="${box.width}" height="${box.height}" rx="3" fill="#ffffff" stroke="#d8dee4"/>`,
    `<text x="10" y="20" ${font} font-size="12.5" font-weight="600" fill="${ink}">${escaped(panel.title)}</text>`,
    content,
    "</g>",
  ].join("\n");
}

async function lines(panel: Panel, box: Box, { prometheus, filledIn, seconds }: PictureOptions): Promise<string> {
  const series = await Promise.all(
    panel.targets.map(async ({ expr, legendFormat }) => {
      const found = await prometheus.queryRange(filledIn(expr), seconds);
      return found.map(({ labels, points }) => ({
        name: named(legendFormat, labels),
        type: "line",
        showSymbol: false,
        lineStyle: { width: 1.5 },
        areaStyle: { opacity: 0.08 },
        data: points.filter(([, value]) => Number.isFinite(value)).map(([at, value]) => [at * 1000, value]),
      }));
    }),
  );
  const option: EChartsCoreOption = {
    animation: false,
    grid: { left: 62, right: 14, top: 34, bottom: 46 },
    legend: { bottom: 4, left: 10, type: "scroll", itemWidth: 12, itemHeight: 3, textStyle: { fontSize: 10 } },
    xAxis: { type: "time", axisLabel: { fontSize: 10, formatter: "{HH}:{mm}:{ss}", hideOverlap: true } },
    yAxis: {
      type: "value",
      min: 0,
      axisLabel: { fontSize: 10, formatter: (value: number) => worded(value, unitOf(panel)) },
    },
    series: series.flat(),
  };
  const chart = init(null, null, { renderer: "svg", ssr: true, width: box.width, height: box.height });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}

/** The numbers of a stat, or the rows of a table. */
async function values(panel: Panel, box: Box, { prometheus, filledIn }: PictureOptions): Promise<string> {
  const found: { readonly name: string; readonly text: string }[] = [];
  for (const { expr, legendFormat } of panel.targets) {
    for (const sample of await prometheus.query(filledIn(expr))) {
      const name = panel.type === "table" ? labelWords(sample) : named(legendFormat, sample.labels);
      found.push({ name, text: worded(sample.value, unitOf(panel)) });
    }
  }
  if (panel.type === "stat" && found.length === 1) return big(found[0]?.text ?? "", box);
  const room = Math.floor((box.height - 30) / 18);
  return found
    .slice(0, room)
    .map(({ name, text }, index) => {
      const y = 42 + index * 18;
      return (
        `<text x="10" y="${y}" ${font} font-size="11" fill="${faint}">${escaped(name)}</text>` +
        `<text x="${box.width - 10}" y="${y}" ${font} font-size="11" text-anchor="end" fill="${ink}">${escaped(text)}</text>`
      );
    })
    .join("\n");
}

function big(text: string, box: Box): string {
  const y = box.height / 2 + 24;
  return `<text x="${box.width / 2}" y="${y}" ${font} font-size="30" text-anchor="middle" fill="#1a7f37">${escaped(text)}</text>`;
}

function labelWords({ labels }: Sample): string {
  return Object.entries(labels)
    .filter(([name]) => name !== "__name__")
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

function named(legend: string, labels: Readonly<Record<string, string>>): string {
  return legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "");
}

function unitOf(panel: Panel): string {
  return panel.fieldConfig?.defaults.unit ?? "short";
}

/** As Grafana writes them, near enough for a picture. */
export function worded(value: number, unit: string): string {
  if (!Number.isFinite(value)) return "–";
  switch (unit) {
    case "s":
      return durationWords(value);
    case "percentunit":
      return `${trimmed(value * 100)} %`;
    case "bytes":
    case "Bps":
      return `${scaled(value, 1024, ["B", "KiB", "MiB", "GiB"])}${unit === "Bps" ? "/s" : ""}`;
    case "mps":
    case "reqps":
    case "ops":
      return `${trimmed(value)}/s`;
    default:
      return scaled(value, 1000, ["", "k", "M"]).trim();
  }
}

function durationWords(value: number): string {
  if (value === 0) return "0 s";
  if (Math.abs(value) < 1) return `${trimmed(value * 1000)} ms`;
  if (value < 120) return `${trimmed(value)} s`;
  return value < 2 * 86_400 ? `${trimmed(value / 3600)} h` : `${trimmed(value / 86_400)} days`;
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let left = value;
  let index = 0;
  while (Math.abs(left) >= base && index < units.length - 1) {
    left /= base;
    index += 1;
  }
  return `${trimmed(left)} ${units[index] ?? ""}`;
}

function trimmed(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

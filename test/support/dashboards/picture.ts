/**
 * Draws a dashboard from what a Prometheus has, as one SVG: what a person sees in Grafana, without Grafana. Colours, limits,
 * names and marks are those of the dashboard's JSON; tests ask the picture for what it shows.
 */
import { buildDashboard } from "../../../charts/dashboards/dashboard.ts";
import { dashboards } from "../../../charts/dashboards/dashboards.ts";
import { drawGraph } from "./drawgraph.ts";
import { drawFigure, drawTable, frame, headLine, rowTitle, wholePicture } from "./drawtext.ts";
import { type PanelJson, readDashboard, type VariableJson } from "./json.ts";
import { PrometheusReader } from "./reader.ts";
import {
  type Figure,
  figureOf,
  type Graph,
  graphOf,
  type Mark,
  marksOf,
  type Moment,
  type Shown,
  type Table,
  tableOf,
} from "./shown.ts";

export interface PictureRequest {
  /** Of the dashboard, such as `mailboat-fleet`. */
  readonly uid: string;
  /** Address of a Prometheus, such as `http://127.0.0.1:9090`. */
  readonly prometheus: string;
  /** Seconds since the epoch; now when absent. */
  readonly until?: number;
  /** How far back lines go. */
  readonly seconds: number;
  /** What `$__rate_interval` stands for; 2m when absent. */
  readonly rateInterval?: string;
  /** Values of the dashboard's other variables; absent, All of them, or the first where there is no All. */
  readonly chosen?: Readonly<Record<string, string>>;
}

export type ShownPanel = { readonly title: string } & (Figure | Graph | Table);

export interface Picture {
  readonly svg: string;
  readonly panels: readonly ShownPanel[];
  readonly marks: readonly Mark[];
  /** What a panel of one number shows. Throws when there is none of the title. */
  figure(title: string): Shown;
  /** The rows of a table, by header. Throws when there is none of the title. */
  rows(title: string): readonly Readonly<Record<string, string>>[];
}

/** Points of a line. */
const points = 240;

export async function pictureOf(request: PictureRequest): Promise<Picture> {
  const words = dashboards.find(({ uid }) => uid === request.uid);
  if (words === undefined) throw new Error(`no dashboard has the uid ${request.uid}`);
  const { title, panels, annotations, templating } = readDashboard(buildDashboard(words));
  const moment = await momentOf(request, templating.list);
  const marks = (await Promise.all(annotations.list.map((each) => marksOf(each, moment)))).flat();
  const drawn: string[] = [headLine(title, marks)];
  const shown: ShownPanel[] = [];
  for (const panel of panels) {
    if (panel.type === "row") drawn.push(rowTitle(panel));
    else {
      const content = await contentOf(panel, moment);
      shown.push({ title: panel.title, ...content });
      drawn.push(frame(panel, drawContent({ panel, content, moment, marks })));
    }
  }
  const find = (wanted: string): ShownPanel => {
    const found = shown.find((each) => each.title === wanted);
    if (found === undefined) throw new Error(`${title} has no panel ${wanted}`);
    return found;
  };
  return {
    svg: wholePicture(panels, drawn),
    panels: shown,
    marks,
    figure(wanted) {
      const found = find(wanted);
      const [first] = found.kind === "figure" ? found.shown : [];
      if (first === undefined) throw new Error(`${wanted} is not one number`);
      return first;
    },
    rows(wanted) {
      const found = find(wanted);
      if (found.kind !== "table") throw new Error(`${wanted} is not a table`);
      return found.rows.map((row) => {
        const cells = row.map(({ text }, index) => [found.headers[index] ?? "", text] as const);
        return Object.fromEntries<string>(cells);
      });
    },
  };
}

/** Puts values in place of the variables of an expression. */
export function filledIn(expr: string, values: Readonly<Record<string, string>>): string {
  return expr.replace(/\$([a-z_]+)/g, (variable, name: string) => values[name] ?? variable);
}

async function momentOf(request: PictureRequest, variables: readonly VariableJson[]): Promise<Moment> {
  const { until = Date.now() / 1000, seconds, rateInterval = "2m", chosen = {} } = request;
  const reader = new PrometheusReader(request.prometheus);
  const values: Record<string, string> = { __rate_interval: rateInterval, ...chosen };
  // In their order: the values that one offers depend on those before it.
  for (const variable of variables) {
    if (variable.type !== "query" || variable.name in values) continue;
    values[variable.name] = variable.allValue ?? (await valueOf({ variable, reader, until, values }));
  }
  return {
    reader,
    range: { from: until - seconds, until, stepSeconds: Math.max(1, seconds / points) },
    filledIn: (expr) => filledIn(expr, values),
  };
}

interface Asked {
  readonly variable: VariableJson;
  readonly reader: PrometheusReader;
  readonly until: number;
  readonly values: Readonly<Record<string, string>>;
}

/** As Grafana has it before anybody chose: all that are offered, or the first. */
async function valueOf({ variable, reader, until, values }: Asked): Promise<string> {
  const query = typeof variable.query === "string" ? variable.query : variable.query.query;
  const [, series = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
  const found = await reader.at(`group by (${label}) (${filledIn(series, values)})`, until);
  const offered = found.map(({ labels }) => labels[label] ?? "").toSorted();
  return variable.includeAll ? `(${offered.join("|")})` : (offered[0] ?? "");
}

async function contentOf(panel: PanelJson, moment: Moment): Promise<Figure | Graph | Table> {
  switch (panel.type) {
    case "stat":
      return figureOf(panel, moment);
    case "table":
      return tableOf(panel, moment);
    case "timeseries":
      return graphOf(panel, moment);
  }
}

interface Drawing {
  readonly panel: PanelJson;
  readonly content: Figure | Graph | Table;
  readonly moment: Moment;
  readonly marks: readonly Mark[];
}

function drawContent({ panel, content, moment, marks }: Drawing): string {
  switch (content.kind) {
    case "figure":
      return drawFigure(panel, content);
    case "table":
      return drawTable(panel, content);
    case "graph":
      return drawGraph(panel, content, { range: moment.range, marks });
  }
}

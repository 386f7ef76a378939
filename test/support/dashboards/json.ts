/** A dashboard's JSON as a picture reads it: what of it decides how a value looks. */
import { z } from "zod";

const step = z.object({ value: z.number().nullable(), color: z.string() });
const thresholds = z.object({ steps: z.array(step) });
const colour = z.object({ mode: z.string(), fixedColor: z.string().optional() });
const mapping = z.object({
  type: z.literal("value"),
  options: z.record(z.string(), z.object({ text: z.string().optional(), color: z.string().optional() })),
});
const defaults = z.looseObject({
  unit: z.string(),
  noValue: z.string().default("No data"),
  max: z.number().optional(),
  thresholds,
  color: colour,
  custom: z.looseObject({ thresholdsStyle: z.object({ mode: z.string() }).optional() }).default({}),
});
const override = z.object({
  matcher: z.object({ id: z.enum(["byName", "byRegexp"]), options: z.string() }),
  properties: z.array(z.object({ id: z.string(), value: z.unknown() })),
});
const target = z.object({ expr: z.string(), legendFormat: z.string(), refId: z.string() });
const gridPos = z.object({ h: z.number(), w: z.number(), x: z.number(), y: z.number() });
const organize = z.object({
  excludeByName: z.record(z.string(), z.boolean()),
  indexByName: z.record(z.string(), z.number()),
  renameByName: z.record(z.string(), z.string()),
});

const row = z.looseObject({ type: z.literal("row"), title: z.string(), gridPos });
const panel = z.looseObject({
  type: z.enum(["timeseries", "stat", "table"]),
  title: z.string(),
  gridPos,
  fieldConfig: z.object({ defaults, overrides: z.array(override) }),
  targets: z.array(target),
  transformations: z.array(z.object({ id: z.string(), options: z.unknown() })).default([]),
  options: z
    .looseObject({ sortBy: z.array(z.object({ displayName: z.string(), desc: z.boolean() })).default([]) })
    .default({ sortBy: [] }),
});
const annotation = z.looseObject({
  name: z.string(),
  iconColor: z.string(),
  titleFormat: z.string(),
  expr: z.string(),
  useValueForTime: z.boolean().default(false),
});
const variable = z.looseObject({
  name: z.string(),
  type: z.string(),
  query: z.union([z.string(), z.object({ query: z.string() })]),
  includeAll: z.boolean().default(false),
  allValue: z.string().optional(),
});
const dashboard = z.object({
  title: z.string(),
  templating: z.object({ list: z.array(variable) }),
  panels: z.array(z.discriminatedUnion("type", [row, panel])),
  annotations: z.object({ list: z.array(annotation) }),
});

export type DashboardJson = z.infer<typeof dashboard>;
export type RowJson = z.infer<typeof row>;
export type PanelJson = z.infer<typeof panel>;
export type AnnotationJson = z.infer<typeof annotation>;
export type VariableJson = z.infer<typeof variable>;
export type Steps = readonly z.infer<typeof step>[];

export function readDashboard(built: unknown): DashboardJson {
  return dashboard.parse(JSON.parse(JSON.stringify(built)));
}

/** Of a series or a column by its name: the defaults, and what overrides them. */
export interface Look {
  readonly unit: string;
  readonly steps: Steps;
  readonly colour: z.infer<typeof colour>;
  readonly isDashed: boolean;
  readonly mappings: readonly z.infer<typeof mapping>[];
  /** Whether the number of a table's cell has the colour of its step. */
  readonly isCellColoured: boolean;
}

export function lookOf({ fieldConfig }: PanelJson, name: string): Look {
  const own = fieldConfig.overrides
    .filter(({ matcher }) => fits(matcher, name))
    .flatMap(({ properties }) => properties);
  const found = (id: string): unknown => own.findLast((property) => property.id === id)?.value;
  return {
    unit: z.string().optional().parse(found("unit")) ?? fieldConfig.defaults.unit,
    steps: (thresholds.optional().parse(found("thresholds")) ?? fieldConfig.defaults.thresholds).steps,
    colour: colour.optional().parse(found("color")) ?? fieldConfig.defaults.color,
    isDashed: found("custom.lineStyle") !== undefined,
    mappings: z.array(mapping).optional().parse(found("mappings")) ?? [],
    isCellColoured: found("custom.cellOptions") !== undefined,
  };
}

function fits({ id, options }: z.infer<typeof override>["matcher"], name: string): boolean {
  return id === "byName" ? options === name : new RegExp(options.replace(/^\/|\/$/g, "")).test(name);
}

/** The colour of the last step that the value has reached; of no value, that of the first. */
export function stepColour(steps: Steps, value: number | undefined): string {
  const reached = steps.filter((each) => each.value === null || (value !== undefined && value >= each.value));
  return reached.at(-1)?.color ?? "text";
}

/** How a table names, orders and leaves out its fields. */
export function organizeOf({ transformations }: PanelJson): z.infer<typeof organize> {
  const found = transformations.find(({ id }) => id === "organize")?.options;
  return organize.parse(found ?? { excludeByName: {}, indexByName: {}, renameByName: {} });
}

/**
 * Names of all values of the chart, one a line: what a template compares the given ones with, because Helm gives templates neither
 * schema nor defaults as they are written. A group that the schema leaves open (labels, resources, `global`) ends at its own name.
 */
import { parse } from "yaml";

/** Other charts of an umbrella have names of their own below it. */
const openGroup = "global";
const comment = "# Generated from values.schema.json by `make generate`; do not edit.";

/** In the order of values.yaml, so that of two names that are equally near the one that stands first is meant. */
export function renderValueNames(schemaText: string, valuesText: string): string {
  const order = new Map(valuePaths(parse(valuesText), "").map((path, index) => [path, index]));
  const place = (path: string): number => order.get(path) ?? order.size;
  const names = schemaPaths(JSON.parse(schemaText), "").toSorted((one, other) => place(one) - place(other));
  return `${[comment, ...names].join("\n")}\n`;
}

function schemaPaths(schema: unknown, group: string): string[] {
  const properties = new Map(membersOf(schema)).get("properties");
  return membersOf(properties).flatMap(([name, inside]) => {
    const path = join(group, name);
    return [path, ...(path === openGroup ? [] : schemaPaths(inside, path))];
  });
}

function valuePaths(values: unknown, group: string): string[] {
  return membersOf(values).flatMap(([name, inside]) => {
    const path = join(group, name);
    return [path, ...valuePaths(inside, path)];
  });
}

function membersOf(value: unknown): readonly [string, unknown][] {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

function join(group: string, name: string): string {
  return group === "" ? name : `${group}.${name}`;
}

/**
 * Whether an object on the server is as it should be, judged by the fields that are wanted. The server fills in defaults
 * and others own fields of the same object: both are no difference. Pure.
 */
import { createHash } from "node:crypto";
import { parseQuantity } from "../../../api/quantity.ts";
import { isRecord } from "../client/resource.ts";

/** By these Kubernetes tells the items of a list map apart; the first that all items have is taken. */
const mergeKeys = ["name", "uid", "type", "mountPath", "containerPort", "port", "topologyKey", "key", "ip"];

/** Members that Kubernetes replaces whole: what somebody adds to a selector makes it another one. */
const atomic = new Set(["selector", "nodeSelector", "podSelector", "namespaceSelector", "labelSelector"]);

/** Members that hold amounts, which the server spells in its own way: "0.5" CPU becomes "500m". */
const amounts = new Set(["requests", "limits", "sizeLimit"]);

/**
 * The part of `actual` that `wanted` names, in the shape of `wanted`. An item that is missing is undefined; a list without
 * names for its items is taken item by item, with those too many at its end.
 */
export function project(wanted: unknown, actual: unknown): unknown {
  if (Array.isArray(wanted)) return projectList(wanted, actual);
  if (!isRecord(wanted)) return actual;
  if (!isRecord(actual)) return actual;
  const members = Object.keys(wanted).filter((key) => wanted[key] !== undefined);
  return Object.fromEntries(members.map((key) => [key, projectMember(key, wanted[key], actual[key])]));
}

function projectMember(key: string, wanted: unknown, actual: unknown): unknown {
  // A Service that may have both families gets its second from the server, and keeps it.
  if (key === "ipFamilies" && Array.isArray(wanted) && Array.isArray(actual)) return actual.slice(0, wanted.length);
  if (atomic.has(key)) return actual;
  return amounts.has(key) ? projectAmounts(wanted, actual) : project(wanted, actual);
}

function projectAmounts(wanted: unknown, actual: unknown): unknown {
  if (isRecord(wanted) && isRecord(actual)) {
    return Object.fromEntries(Object.keys(wanted).map((key) => [key, projectAmounts(wanted[key], actual[key])]));
  }
  return typeof wanted === "string" && typeof actual === "string" && isSameAmount(wanted, actual) ? wanted : actual;
}

function isSameAmount(wanted: string, actual: string): boolean {
  const amount = parseQuantity(wanted);
  return amount !== undefined && amount === parseQuantity(actual);
}

function projectList(wanted: readonly unknown[], actual: unknown): unknown {
  if (!Array.isArray(actual)) return actual;
  const items: readonly unknown[] = actual;
  const key = mergeKeys.find((candidate) => isMapBy(wanted, candidate) && isMapBy(items, candidate));
  if (key === undefined || wanted.length === 0) {
    return items.map((item, index) => (index < wanted.length ? project(wanted[index], item) : item));
  }
  return wanted.map((item) =>
    project(
      item,
      items.find((other) => valueOf(other, key) === valueOf(item, key)),
    ),
  );
}

function isMapBy(items: readonly unknown[], key: string): boolean {
  const values = new Set(items.map((item) => valueOf(item, key)));
  return values.size === items.length && !values.has(undefined);
}

function valueOf(item: unknown, key: string): unknown {
  return isRecord(item) ? item[key] : undefined;
}

/** The same for the same content, whatever the order of its keys; members that are undefined do not count. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(canonical(value)).digest("hex");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === undefined) return "null";
  if (!isRecord(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
}

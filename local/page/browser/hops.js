/** What became of a message: its steps in words, and its hops as a waterfall, one for each attempt. */
/** @import { Waterfall, WaterfallRow } from "../../trace/shape.ts" */
/** @import { Detail, Step } from "../shapes.ts" */
import { fold, make, mark } from "./make.js";
import { clock, count, dayAndClock, folded, long } from "./words.js";

/** More attempts than the first and the last are folded away. */
const shownTraces = 2;
const shownSteps = 6;

/**
 * @param {Detail} detail
 * @param {(id: string) => Node} linkTo
 */
export function stepsOf(detail, linkTo) {
  if (detail.steps.length === 0) return undefined;
  const hasSeveralPods = new Set(detail.steps.map((step) => step.pod)).size > 1;
  const { before, between, after } = folded(detail.steps, shownSteps);
  const list = (/** @type {readonly Step[]} */ steps) =>
    make(
      "ol",
      { className: "steps" },
      steps.map((step) => stepOf(step, { detail, hasSeveralPods, linkTo })),
    );
  return make(
    "section",
    { className: "happened" },
    make("h3", {}, "What happened"),
    list(before),
    between.length > 0 && [fold("steps", `${between.length} more steps`, list(between)), list(after)],
  );
}

/**
 * @param {Step} step
 * @param {{ detail: Detail, hasSeveralPods: boolean, linkTo: (id: string) => Node }} context
 */
function stepOf(step, { detail, hasSeveralPods, linkTo }) {
  const isSameDay = new Date(step.at).toDateString() === new Date(detail.at).toDateString();
  const time = isSameDay ? clock(step.at) : dayAndClock(step.at, Date.parse(detail.at));
  return make(
    "li",
    {},
    make("time", { dateTime: step.at }, time),
    mark(step.what, step.tone),
    make(
      "span",
      { className: "told" },
      hasSeveralPods && `${step.pod}: `,
      step.text,
      step.notice !== undefined && [": ", linkTo(step.notice)],
    ),
  );
}

/** @param {Detail} detail */
export function hopsOf(detail) {
  const [first] = detail.traces;
  if (first === undefined) return undefined;
  const { before, between, after } = folded(detail.traces, shownTraces);
  const draw = (/** @type {Waterfall} */ trace) => traceOf(trace, first.startMs);
  return make(
    "section",
    { className: "waterfall" },
    make("h3", {}, "Hops"),
    before.map(draw),
    between.length > 0 && fold("traces", `${count(between.length, "attempt")} between`, between.map(draw)),
    after.map(draw),
  );
}

/**
 * @param {Waterfall} trace
 * @param {number} firstMs
 */
function traceOf(trace, firstMs) {
  const hasSeveralPods = new Set(trace.rows.map((row) => row.pod)).size > 1;
  const laterMs = trace.startMs - firstMs;
  return make(
    "div",
    { className: "trace" },
    make(
      "p",
      { className: "soft" },
      `${laterMs > 0 ? `${long(laterMs)} later` : clock(trace.startMs)}, took ${long(trace.durationMs)}, trace `,
      make("code", {}, trace.traceId),
    ),
    make(
      "table",
      { className: "hops", "aria-label": `Hops of trace ${trace.traceId}` },
      make(
        "tbody",
        {},
        trace.rows.map((row) => hopOf(row, trace, hasSeveralPods)),
      ),
    ),
  );
}

/**
 * @param {WaterfallRow} row
 * @param {Waterfall} trace
 * @param {boolean} hasSeveralPods
 */
function hopOf(row, trace, hasSeveralPods) {
  const wholeMs = Math.max(trace.durationMs, 0.001);
  const bar = make("i", { className: row.tone });
  bar.style.left = `${Math.min(99.5, (row.offsetMs / wholeMs) * 100)}%`;
  bar.style.width = `${Math.min(100, (row.durationMs / wholeMs) * 100)}%`;
  const name = make("th", { scope: "row" }, row.name);
  name.style.setProperty("--depth", String(row.depth));
  const note = [row.note, hasSeveralPods && row.pod].filter(Boolean).join(" · ");
  return make(
    "tr",
    {},
    name,
    make("td", { className: "track" }, make("div", { title: `starts after ${long(row.offsetMs)}` }, bar)),
    make("td", { className: "long" }, long(row.durationMs)),
    make("td", { className: "note" }, note),
  );
}

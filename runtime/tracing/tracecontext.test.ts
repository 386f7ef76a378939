import assert from "node:assert/strict";
import { test } from "node:test";
import { contextFromText, contextText, readContext } from "./tracecontext.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const span = "b7ad6b7169203331";

const headers: readonly [what: string, traceparent: readonly string[], expected: string | undefined][] = [
  ["sampled", [`00-${trace}-${span}-01`], `00-${trace}-${span}-01`],
  ["not sampled", [`00-${trace}-${span}-00`], `00-${trace}-${span}-00`],
  ["white space around it", [` 00-${trace}-${span}-01\t`], `00-${trace}-${span}-01`],
  ["flags that are not known are not passed on", [`00-${trace}-${span}-ff`], `00-${trace}-${span}-01`],
  ["a later version", [`01-${trace}-${span}-01`], `00-${trace}-${span}-01`],
  ["a later version with more parts", [`cc-${trace}-${span}-01-what-the-future-will-be`], `00-${trace}-${span}-01`],
  ["a later version with more characters", [`cc-${trace}-${span}-01.what`], undefined],
  ["version 00 with more parts", [`00-${trace}-${span}-01-more`], undefined],
  ["version ff", [`ff-${trace}-${span}-01`], undefined],
  ["upper case", [`00-${trace.toUpperCase()}-${span}-01`], undefined],
  ["trace id of zeros", [`00-${"0".repeat(32)}-${span}-01`], undefined],
  ["span id of zeros", [`00-${trace}-${"0".repeat(16)}-01`], undefined],
  ["trace id too short", [`00-${trace.slice(1)}-${span}-01`], undefined],
  ["flags missing", [`00-${trace}-${span}`], undefined],
  ["nothing", [""], undefined],
  ["no field", [], undefined],
  ["two fields", [`00-${trace}-${span}-01`, `00-${trace}-${span}-01`], undefined],
  ["two values in one field", [`00-${trace}-${span}-01, 00-${trace}-${span}-01`], undefined],
  ["words around it", [`x00-${trace}-${span}-01`], undefined],
];

test("readContext() takes exactly one valid traceparent (W3C Trace Context section 3.2)", () => {
  for (const [what, traceparent, expected] of headers) {
    const context = readContext(traceparent, []);
    assert.equal(context === undefined ? undefined : contextText(context), expected, what);
  }
});

const states: readonly [what: string, tracestate: readonly string[], expected: string][] = [
  ["none", [], ""],
  ["one member", ["congo=t61rcWkgMzE"], "congo=t61rcWkgMzE"],
  ["two fields are one list", ["a=1", "b=2"], "a=1,b=2"],
  ["an empty field is none", ["a=1", " "], "a=1"],
  ["a member that is malformed goes", ["a=1,b"], "a=1"],
  ["nothing well formed", ["what is this"], ""],
  ["512 characters", [`a=${"x".repeat(256)},b=${"y".repeat(251)}`], `a=${"x".repeat(256)},b=${"y".repeat(251)}`],
  ["513 characters", [`a=${"x".repeat(256)},b=${"y".repeat(252)}`], ""],
  ["33 members", [Array.from({ length: 33 }, (_, index) => `k${index}=v`).join(",")], ""],
  ["not ASCII", ["a=é"], ""],
  ["a line end", ["a=1\r\nBcc: x"], ""],
];

test("readContext() keeps a tracestate within bounds, and drops one that is not without the traceparent", () => {
  for (const [what, tracestate, expected] of states) {
    const context = readContext([`00-${trace}-${span}-01`], tracestate);
    assert.equal(context?.traceId, trace, what);
    assert.equal(context.traceState?.serialize() ?? "", expected, what);
  }
});

test("what is kept with a message is read back as it was", () => {
  for (const tracestate of [[], ["a=1,b=x y"]]) {
    const context = readContext([`00-${trace}-${span}-01`], tracestate);
    assert.ok(context !== undefined);
    const again = contextFromText(contextText(context));
    assert.ok(again !== undefined);
    assert.equal(contextText(again), contextText(context));
    assert.equal(contextText(context).endsWith("a=1,b=x y"), tracestate.length > 0);
  }
  assert.equal(contextFromText("damaged"), undefined);
});

import { test } from "node:test"; import assert from "node:assert/strict";
test("a", () => {}); test("b", async (t) => { await t.test("c", () => { console.log("hello"); assert.equal({a:1} as unknown, {a:2}); }); });
test("s", {skip:"no tool"}, () => {});
test("hang", {timeout: 1000}, () => new Promise(() => { setInterval(()=>{}, 1000) }));

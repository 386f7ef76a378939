import assert from "node:assert/strict";
import { test } from "node:test";
import { detailOf } from "./detail.ts";
import { History } from "./story.ts";
import { happeningOf } from "./telling.ts";

const tones: readonly (readonly [msg: string, code: number, tone: string])[] = [
  ["refused", 452, "warning"],
  ["refused", 550, "bad"],
  ["deferred", 451, "warning"],
  ["failed", 451, "bad"],
];
for (const [msg, code, tone] of tones) {
  test(`a step that is ${msg} with ${code} is ${tone}`, () => {
    const history = new History();
    const happening = happeningOf("mail.outbound-0", { msg, code, time: "2026-11-23T12:00:01.000Z" });
    assert.ok(happening !== undefined);
    history.take(happening);
    const [story] = history.stories;
    assert.ok(story !== undefined);
    assert.deepEqual(
      detailOf(story, history).steps.map((step) => step.tone),
      [tone],
    );
  });
}

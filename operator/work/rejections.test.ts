import assert from "node:assert/strict";
import { test } from "node:test";
import { Rejections } from "./rejections.ts";

const subject = "MailRelay/mail/outbound";
const at = (now: number, generation = 1) => ({ now, generation });

function saying(text: string) {
  return [{ field: "spec.service", message: `Kubernetes refuses Service outbound: ${text}` }];
}

test("words that differ in what varies are no news, and the first of them stay", () => {
  const rejections = new Rejections();
  assert.equal(rejections.met(subject, saying("no (request 1a)"), at(0)), true);
  for (let look = 1; look < 50; look += 1) {
    assert.equal(rejections.met(subject, saying(`no (request ${look}b)`), at(look * 10_000)), false);
    assert.deepEqual(rejections.of(subject), saying("no (request 1a)"));
  }
});

test("words of another spec, and those of another day, are taken", () => {
  const rejections = new Rejections();
  rejections.met(subject, saying("port 1 is taken"), at(0));
  assert.equal(rejections.met(subject, saying("port 2 is taken"), at(1_000, 2)), true);
  assert.deepEqual(rejections.of(subject), saying("port 2 is taken"));
  assert.equal(rejections.met(subject, saying("port 3 is taken"), at(602_000, 2)), true);
  assert.deepEqual(rejections.of(subject), saying("port 3 is taken"));
});

test("the same words are no news however old they are", () => {
  const rejections = new Rejections();
  rejections.met(subject, saying("no"), at(0));
  assert.equal(rejections.met(subject, saying("no"), at(10_000_000, 9)), false);
});

test("what is taken again is news once", () => {
  const rejections = new Rejections();
  rejections.met(subject, saying("no"), at(0));
  assert.equal(rejections.met(subject, [], at(1)), true);
  assert.equal(rejections.met(subject, [], at(2)), false);
  assert.deepEqual(rejections.of(subject), []);
});

test("words that never say the same are met less and less often, at least a second apart", () => {
  const rejections = new Rejections();
  assert.equal(rejections.pauseMs(subject), 0);
  const words = "a b c d e f g h".split(" ");
  const pauses = words.map((word) => {
    rejections.met(subject, saying(word), at(0));
    return rejections.pauseMs(subject);
  });
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  rejections.met(subject, saying("h"), at(0));
  assert.equal(rejections.pauseMs(subject), 0);
});

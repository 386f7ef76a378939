import assert from "node:assert/strict";
import { test } from "node:test";
import {
  deadlineOf,
  handshaken,
  handshaking,
  isRefusal,
  isSlowed,
  isTooMany,
  known,
  progressed,
  usualPatience,
  type Standing,
} from "./patience.ts";

const patience = {
  arrivalMs: 1,
  handshakeMs: 30,
  loginMs: 60,
  idleMs: 300,
  octetsPerSecond: 500,
  pauseMs: 5,
  slowLoginMs: 50,
};
const stranger: Standing = { kind: "stranger", since: 1000 };

test("a stranger's time runs from the start, whatever it does", () => {
  assert.equal(deadlineOf(stranger, patience), 1060);
  assert.equal(deadlineOf(progressed(stranger, 1050), patience), 1060);
});

test("who is known has the idle time since it last got on", () => {
  const user = known(stranger, 1010);
  assert.equal(deadlineOf(user, patience), 1310);
  assert.equal(deadlineOf(progressed(user, 1200), patience), 1500);
});

test("a handshake shortens every time and lengthens none", () => {
  assert.equal(deadlineOf(handshaking(stranger, 1010), patience), 1040);
  assert.equal(deadlineOf(handshaking(stranger, 1050), patience), 1060);
  assert.equal(deadlineOf(handshaking(known(stranger, 1010), 1020), patience), 1050);
  assert.equal(deadlineOf(handshaken(handshaking(stranger, 1010)), patience), 1060);
});

test("the usual times are those that RFC 5321 asks for and less for strangers", () => {
  assert.deepEqual(usualPatience, {
    arrivalMs: 30_000,
    handshakeMs: 30_000,
    loginMs: 60_000,
    idleMs: 300_000,
    octetsPerSecond: 500,
    pauseMs: 500,
    slowLoginMs: 5000,
  });
});

test("a stranger is refused some tens of times, who is known more often", () => {
  assert.equal(isTooMany(30, stranger), false);
  assert.equal(isTooMany(31, stranger), true);
  assert.equal(isTooMany(200, known(stranger, 0)), false);
  assert.equal(isTooMany(201, known(stranger, 0)), true);
});

test("what is the matter with us alone counts against no client that is known", () => {
  const [full, refused] = [
    { code: 452, enhanced: "4.3.1" },
    { code: 550, enhanced: "5.7.1" },
  ];
  assert.deepEqual([isRefusal(full, known(stranger, 0)), isRefusal(full, stranger)], [false, true]);
  assert.deepEqual([isRefusal(refused, known(stranger, 0)), isRefusal(refused, stranger)], [true, true]);
  assert.equal(isRefusal({ code: 250, enhanced: "2.0.0" }, stranger), false);
  assert.equal(isRefusal({ code: 452, enhanced: "4.5.3" }, stranger), false);
});

test("a stranger that is loud or talks a lot is slowed down, who is known never is", () => {
  assert.equal(isSlowed(stranger, { commands: 20, isLoud: false }), false);
  assert.equal(isSlowed(stranger, { commands: 21, isLoud: false }), true);
  assert.equal(isSlowed(stranger, { commands: 1, isLoud: true }), true);
  assert.equal(isSlowed(known(stranger, 0), { commands: 1000, isLoud: true }), false);
});

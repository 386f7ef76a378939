import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../runtime/log.ts";
import { ClientLog } from "./clientlog.ts";

const rates = { client: { burst: 3, perSecond: 1 }, all: { burst: 5, perSecond: 2 } };

class Scene {
  readonly lines: string[] = [];
  now = 0;
  readonly log: ClientLog;

  constructor(level = "info") {
    const output = { dropped: 0, write: (line: string) => void this.lines.push(line) };
    this.log = new ClientLog(createLog({ level, program: "test" }, output), { now: () => this.now }, rates);
  }

  /** How many of so many lines were written. */
  say(client: string, times: number): number {
    const before = this.lines.length;
    for (let count = 0; count < times; count += 1) this.log.info(client, {}, "refused");
    return this.lines.length - before;
  }
}

test("a client has its burst and then its rate, and another has its own", () => {
  const scene = new Scene();
  assert.equal(scene.say("a", 10), 3);
  scene.now = 2000;
  assert.equal(scene.say("a", 10), 2);
  assert.equal(scene.say("b", 10), 3);
  // A clock that was set back gives nothing and takes nothing.
  scene.now = 0;
  assert.equal(scene.say("a", 10), 0);
  scene.log.close();
});

test("many clients together have what all may have", () => {
  const scene = new Scene();
  let written = 0;
  for (let client = 0; client < 100; client += 1) written += scene.say(`client ${client}`, 1);
  assert.equal(written, 5);
  scene.now = 1000;
  assert.equal(scene.say("client 200", 3), 2);
  scene.log.close();
});

test("what was withheld is said in the end, once", () => {
  const scene = new Scene();
  scene.say("a", 10);
  scene.say("b", 10);
  scene.log.close();
  scene.log.close();
  const [last = ""] = scene.lines.slice(-1);
  assert.equal(scene.lines.length, 6);
  assert.match(last, /"level":"warn".*"lines":15,"msg":"lines about clients withheld: there were too many"/);
});

test("a line that the level leaves out costs nothing", () => {
  const scene = new Scene();
  for (let count = 0; count < 10; count += 1) scene.log.debug("a", {}, "connection failed");
  assert.equal(scene.say("a", 3), 3);
  const loud = new Scene("debug");
  for (let count = 0; count < 10; count += 1) loud.log.debug("a", {}, "connection failed");
  assert.equal(loud.lines.length, 3);
  loud.log.close();
});

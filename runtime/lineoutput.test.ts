/** A program that writes more lines than anybody reads, with a real pipe between the two. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { test, type TestContext } from "node:test";

const logModule = fileURLToPath(new URL("./log.ts", import.meta.url));

/** Standard error is the program's own way to say how far it is. */
function writer(t: TestContext, body: string): ChildProcess & { readonly stdout: NodeJS.ReadableStream } {
  const source = `
    const { createLog, standardOutput } = await import(${JSON.stringify(logModule)});
    const log = createLog({ level: "info", program: "test" });
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    ${body}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = "";
  stream?.setEncoding("utf8");
  for await (const chunk of stream ?? []) text += chunk;
  return text;
}

interface Line {
  readonly msg: string;
  readonly number?: number;
  readonly lines?: number;
}

const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

test("lines that nobody reads are dropped beyond a limit, without waiting and without growing; a reader is told how many", async (t) => {
  const child = writer(
    t,
    `
    const before = process.memoryUsage().rss;
    const started = performance.now();
    for (let number = 0; number < 400_000; number += 1) {
      log.info({ number, text: "x".repeat(150) }, "line");
      if (number % 100 === 0) await turn();
    }
    const grown = (process.memoryUsage().rss - before) / 1048576;
    process.stderr.write(JSON.stringify({ grown, ms: performance.now() - started, dropped: standardOutput("test").dropped }) + "\\n");
    // Until somebody reads again.
    while (standardOutput("test").dropped > 0 && !globalThis.told) {
      const dropped = standardOutput("test").dropped;
      log.info({ number: -1 }, "asking");
      globalThis.told = standardOutput("test").dropped === dropped;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }`,
  );
  const [said] = (await once(child.stderr ?? child, "data")) as [Buffer];
  const { grown, dropped } = JSON.parse(said.toString()) as { grown: number; dropped: number };
  assert.ok(grown < 60, `${grown} MiB more`);
  assert.ok(dropped > 300_000, `${dropped} dropped`);
  const read = linesOf(await textOf(child.stdout));
  const numbers = read.filter((line) => line.msg === "line").map((line) => line.number);
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index),
    "the first lines, in order and whole",
  );
  const asked = read.filter((line) => line.msg === "asking").length;
  const told = read
    .filter((line) => line.msg.startsWith("log lines dropped"))
    .reduce((sum, line) => sum + (line.lines ?? 0), 0);
  assert.ok(told >= 400_000 - numbers.length, `${told} told`);
  assert.ok(asked > 0);
});

test("what waits is written when the process ends", async (t) => {
  const child = writer(
    t,
    `for (let number = 0; number < 3000; number += 1) log.info({ number, text: "x".repeat(100) }, "line");
     process.exit(3);`,
  );
  const ended = once(child, "exit") as Promise<[number]>;
  const text = await textOf(child.stdout);
  assert.deepEqual((await ended)[0], 3);
  assert.equal(linesOf(text).length, 3000);
});

test("a line after a silence is in the pipe when the call returns: a kill -9 straight after loses nothing", async (t) => {
  const child = writer(t, `log.info({}, "last"); process.kill(process.pid, "SIGKILL");`);
  assert.deepEqual(
    linesOf(await textOf(child.stdout)).map((line) => line.msg),
    ["last"],
  );
});

test("lines that follow each other closely are handed over together, all of them, though nothing comes after", async (t) => {
  const child = writer(
    t,
    `for (let number = 0; number < 1000; number += 1) { log.info({ number }, "line"); await turn(); }
     await new Promise(() => setInterval(() => undefined, 60_000));`,
  );
  let text = "";
  let reads = 0;
  child.stdout.setEncoding("utf8");
  for await (const chunk of child.stdout) {
    text += chunk;
    reads += 1;
    if (text.includes('"number":999')) break;
  }
  assert.deepEqual(
    linesOf(text).map((line) => line.number),
    Array.from({ length: 1000 }, (_, number) => number),
  );
  assert.ok(reads < 500, `${reads} reads`);
});

test("a reader that is gone ends nothing", async (t) => {
  const child = writer(
    t,
    `process.stderr.write("ready");
     while (!globalThis.done) { log.info({}, "line"); await turn(); globalThis.done = performance.now() > 2000; }
     process.exit(4);`,
  );
  await once(child.stderr ?? child, "data");
  child.stdout.destroy();
  const [code] = (await once(child, "exit")) as [number];
  assert.equal(code, 4);
});

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { ParentMessage } from "../../api/parentmessage.ts";
import { relayOf, secretOf } from "../../test/support/operatorobjects.ts";
import { renderPodTemplate } from "../../operator/mailrelay/objects/podtemplate.ts";
import { LocalPod, type PodExit, type PodFields } from "./pod.ts";

/** A relay that says what it was given, dies at SIGUSR2 and leaves when asked to. */
const fakeRelay = `
const say = (fields) => process.stdout.write(JSON.stringify(fields) + "\\n");
process.on("SIGUSR2", () => process.exit(7));
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
say({ msg: "told", pid: process.pid, args: process.argv.slice(2), env: {
  configuration: process.env.MAILBOAT_CONFIGURATION_DIR, ports: process.env.MAILBOAT_PORTS } });
process.send({ kind: "login failed", listener: "submission", username: "app" });
process.send({ kind: "something new", username: "app" }, () => say({ msg: "ready" }));
`;

interface Scene {
  readonly pod: LocalPod;
  readonly directory: string;
  /** The next line with this msg. */
  readonly next: (msg: string) => Promise<PodFields>;
  readonly exits: PodExit[];
  readonly told: ParentMessage[];
}

async function start(context: TestContext): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-pod-"));
  const program = join(directory, "relay.mjs");
  await writeFile(program, fakeRelay);
  const lines: PodFields[] = [];
  const waiting: (() => void)[] = [];
  const exits: PodExit[] = [];
  const told: ParentMessage[] = [];
  const next = async (msg: string): Promise<PodFields> => {
    for (;;) {
      const at = lines.findIndex((line) => line["msg"] === msg);
      if (at >= 0) return lines.splice(at, 1)[0] ?? {};
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  const pod = new LocalPod(
    {
      pod: "mail.outbound-0",
      directory,
      program,
      host: "127.0.0.1",
      logLevel: "info",
      compileCache: join(directory, "compiled"),
      choosePorts: (ports) => Promise.resolve(Object.fromEntries(ports.map((port) => [port.name, port.containerPort]))),
      now: () => 0,
      observer: {
        onLine: (_pod, fields) => {
          lines.push(fields);
          for (const resolve of waiting.splice(0)) resolve();
        },
        onText: (_pod, text) => assert.equal(text, undefined),
        onTold: (_pod, message) => told.push(message),
        onExit: (_pod, exit) => exits.push(exit),
      },
    },
    intentWith("one"),
  );
  context.after(async () => {
    await pod.stop();
    await rm(directory, { recursive: true });
  });
  return { pod, directory, next, exits, told };
}

function intentWith(text: string) {
  const secret = secretOf({ name: "outbound-configuration", values: { "relay.json": text } });
  return {
    template: renderPodTemplate(relayOf(), "image"),
    secrets: new Map([[secret.metadata.name, secret]]),
  };
}

test("a pod gets its mounts as files and the places of them in its environment", async (context) => {
  const { pod, directory, next, told: heard } = await start(context);
  await pod.sync(intentWith("one"));
  const told = await next("told");
  assert.deepEqual(told["args"], ["run"]);
  assert.deepEqual(told["env"], {
    configuration: join(directory, "config"),
    ports: JSON.stringify({ submission: 2587, smtp: 2025, http: 9464, admin: 9465 }),
  });
  await next("ready");
  assert.equal(pod.ready, true);
  // It comes by another way than the lines.
  while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
  // What a relay of another version says beside it is passed over.
  assert.deepEqual(heard, [{ kind: "login failed", listener: "submission", username: "app" }]);
  const file = join(directory, "config/configuration/relay.json");
  assert.equal(await readFile(file, "utf8"), "one");
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(join(directory, "config/domains/31"))).isDirectory(), true);
});

test("a changed Secret is a changed file, a Secret that is gone an empty directory, and the process runs on", async (context) => {
  const { pod, directory, next, exits } = await start(context);
  await pod.sync(intentWith("one"));
  await next("ready");
  const file = join(directory, "config/configuration/relay.json");
  const before = await stat(file);
  await pod.sync(intentWith("one"));
  assert.equal((await stat(file)).ino, before.ino);
  await pod.sync(intentWith("two"));
  assert.equal(await readFile(file, "utf8"), "two");
  await pod.sync({ ...intentWith("two"), secrets: new Map() });
  await assert.rejects(stat(file), { code: "ENOENT" });
  assert.deepEqual(exits, []);
});

test("a pod that dies is started again at once the first time and later the next", async (context) => {
  const { pod, next, exits } = await start(context);
  await pod.sync(intentWith("one"));
  await next("ready");
  process.kill(Number((await next("told"))["pid"]), "SIGUSR2");
  const second = await next("told");
  await next("ready");
  process.kill(Number(second["pid"]), "SIGKILL");
  while (exits.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(exits, [
    { cause: "exit code 7", restartInMs: 0 },
    { cause: "SIGKILL", restartInMs: 1000 },
  ]);
  assert.equal(pod.ready, false);
});

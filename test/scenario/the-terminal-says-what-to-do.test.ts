/** Whatever is in the way of local mode is one sentence that says what to do: no stack, no line of make's, and an exit code. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../gate/command.ts";
import { localManifests } from "../support/local.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { lacking } from "../support/tools.ts";

const main = join(repositoryRoot, "local/main.ts");
/** As installed: a test must not install anything. */
const makeIn = (folder: string): readonly string[] => [
  "make",
  "--no-print-directory",
  "--directory",
  folder,
  "-o",
  "node_modules/.installed",
];
const directory = makeResultsDirectory(import.meta.url, "mistakes");
const file = join(directory, "a file");
writeFileSync(file, "");
const manifests = join(directory, "manifests");
const empty = join(directory, "empty");
for (const folder of [manifests, empty]) mkdirSync(folder);
for (const [name, text] of Object.entries(localManifests())) writeFileSync(join(manifests, name), text);
const linked = join(directory, "linked");
symlinkSync(empty, linked);
const damaged = join(directory, "damaged");
mkdirSync(join(damaged, "secrets"), { recursive: true });
writeFileSync(join(damaged, "secrets/mail.key.json"), "{ half");
const nowhere = join(directory, "nowhere");
const other = "name another folder with --state \\(STATE=\\.\\.\\.\\)";

const mistakes: readonly (readonly [what: string, args: readonly string[], words: RegExp])[] = [
  [
    "a file in the state folder's place",
    ["run", "--state", file],
    new RegExp(`a file cannot be a folder, because a file has that name: remove it, or ${other}$`),
  ],
  [
    "a file above it",
    ["run", "--state", join(file, "state")],
    new RegExp(
      `a file/state cannot be a folder, because a file has that name or one above it: remove it, or ${other}$`,
    ),
  ],
  [
    "a state folder that cannot be written",
    ["run", "--state", "/sys/mailboat"],
    new RegExp(`^/sys/mailboat .*${other}$`),
  ],
  ["a state folder that is a link", ["run", "--state", linked], /linked is a link: name the folder that it leads to/],
  [
    "a key that is damaged",
    ["run", "--state", damaged, "--manifests", manifests],
    /damaged\/secrets\/mail\.key\.json is damaged: restore it from a copy, or remove it/,
  ],
  [
    "manifests that are not there",
    ["run", "--manifests", nowhere, "--state", empty],
    /^there is no folder \S+nowhere: name one/,
  ],
  [
    "a file for manifests",
    ["run", "--manifests", file, "--state", empty],
    /a file is not a folder: name the one it lies in/,
  ],
  [
    "an address of another machine",
    ["run", "--host", "203.0.113.9", "--manifests", manifests, "--state", join(directory, "host")],
    /^203\.0\.113\.9 is no address of this machine: name one with --host \(LISTEN_HOST=\.\.\.\)/,
  ],
  ["an unknown flag", ["run", "--manifest", manifests], /^--manifest is no flag: did you mean --manifests\?/],
  ["a verb that is none", ["start"], /^unknown verb start: there are `run`, /],
  ["a trace of nothing", ["trace", "--state", nowhere], /^there is no \S+nowhere: nothing has run there yet/],
  ["a spool that is none", ["spool", "--state", manifests], /manifests is no state folder of local mode/],
  ["a folder of somebody else to clear", ["clear", "--state", manifests, "--force"], /manifests is no state folder/],
];

async function assertOneSentence(args: readonly string[], words: RegExp): Promise<void> {
  const { code, output } = await runCommand(process.execPath, [main, ...args]);
  assert.equal(code, 2, output);
  const [line = "", ...more] = output.trimEnd().split("\n");
  assert.deepEqual(more, []);
  assert.match(line, /^mailboat: /);
  assert.match(line.slice("mailboat: ".length), words);
  assert.doesNotMatch(line, /Error:|errno|\.ts:\d/);
}

test("each mistake is one sentence, with exit code 2", { concurrency: 2 }, async (t) => {
  await Promise.all(mistakes.map(([what, args, words]) => t.test(what, () => assertOneSentence(args, words))));
});

test("nothing of a folder that is not ours was removed", () => {
  assert.deepEqual(readdirSync(manifests).toSorted(), Object.keys(localManifests()).toSorted());
});

test("make adds no line of its own, and no script takes its end for success", { skip: lacking("make") }, async () => {
  for (const goal of ["run", "demo", "trace", "spool", "clear"]) {
    const { code, output } = await runCommand("make", [
      ...makeIn(repositoryRoot).slice(1),
      goal,
      `STATE=${join(file, "x")}`,
    ]);
    assert.match(output, /^mailboat: .*x.*\n$/, goal);
    assert.doesNotMatch(output, /\*\*\*|\bmake\b.*Error/, goal);
    assert.notEqual(code, 0, goal);
  }
});

interface Ended {
  readonly lines: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * In a process group of its own, as a shell gives one to what it starts: a signal of the terminal reaches all of it. `act` comes
 * before the signals.
 */
async function runAndSignal(
  command: readonly string[],
  signals: readonly NodeJS.Signals[],
  act: (child: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const group = -(child.pid ?? assert.fail("it did not start"));
  let output = "";
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      output += text;
      if (/^ready$/m.test(output)) ready.resolve();
    });
  }
  const closed = once(child, "close");
  void closed.then(() => ready.reject(new Error(`ended before it was ready: ${output}`)));
  try {
    await ready.promise;
    act(child);
    for (const signal of signals) process.kill(group, signal);
    await closed;
  } finally {
    try {
      process.kill(group, "SIGKILL");
    } catch {
      // Nobody is left.
    }
  }
  // That they are ready now is said of each resource, when it is so.
  const lines = output
    .trimEnd()
    .split("\n")
    .filter((line) => !/^(?:MailRelay|SenderDomain) \S+: Ready=True /.test(line));
  return { lines, code: child.exitCode, signal: child.signalCode };
}

async function stateWithPorts(name: string): Promise<string> {
  const state = join(directory, name);
  const book: Record<string, number> = { page: await freePort() };
  for (const port of ["submission", "submissions", "smtp", "http", "admin"])
    book[`mail.outbound-0/${port}`] = await freePort();
  mkdirSync(state);
  writeFileSync(join(state, "ports.json"), JSON.stringify(book));
  return state;
}

test(
  "make run says little at its start and its end, also in folders with blanks and quotes",
  { skip: lacking("make") },
  async () => {
    const clone = join(directory, "my clone");
    for (const name of [
      "api",
      "examples",
      "local",
      "operator",
      "relay",
      "runtime",
      "Makefile",
      "package.json",
      "package-lock.json",
    ])
      cpSync(join(repositoryRoot, name), join(clone, name), { recursive: true });
    symlinkSync(join(repositoryRoot, "node_modules"), join(clone, "node_modules"));
    const state = await stateWithPorts('it\'s a "state" folder');
    const started = [...makeIn(clone), "run", `STATE=${state}`, `MANIFESTS=${manifests}`];
    // npm passes on what the terminal has said already: twice at once is once.
    const { lines, signal } = await runAndSignal(started, ["SIGINT", "SIGINT"]);
    const ready = lines.indexOf("ready");
    assert.ok(ready <= 15, `${ready} lines of banner:\n${lines.join("\n")}`);
    assert.match(lines[0] ?? "", /^Mailboat runs .*manifests; http:\/\/localhost:\d+\/ shows each message$/);
    assert.deepEqual(lines.slice(ready), ["ready", "stopping", "stopped; nothing waits"]);
    assert.equal(signal, "SIGINT");
    assert.ok(readdirSync(state).includes("secrets"));
  },
);

test("a terminal that is closed stops it in order, and a reader that is gone does not stop it", async () => {
  const state = await stateWithPorts("hangup");
  const run = [process.execPath, main, "run", "--state", state, "--manifests", manifests];
  const closed = await runAndSignal(run, ["SIGHUP"]);
  assert.equal(closed.code, 0);
  assert.deepEqual(closed.lines.slice(closed.lines.indexOf("ready")), ["ready", "stopping", "stopped; nothing waits"]);
  const piped = await runAndSignal(run, ["SIGTERM"], ({ stdout, stderr }) => {
    stdout?.destroy();
    stderr?.destroy();
  });
  assert.equal(piped.code, 0);
});

test("a page's port that is in use is said with the one that is taken instead", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const state = join(directory, "ports");
  const program = new Program({
    command: [process.execPath, main, "run", "--manifests", empty, "--state", state, "--page-port", String(port)],
    logFile: join(directory, "ports.log"),
  });
  t.after(() => program.kill("SIGKILL"));
  await program.waitFor("the end of the banner", (line) => line.includes("Ctrl-C stops"));
  await program.kill("SIGINT");
  const taken = program.lines.find((line) => line.startsWith("page:")) ?? "";
  assert.match(taken, new RegExp(`^page: port ${port} is not used, \\d+ is: another program has it$`));
  assert.match(program.lines.join("\n"), /empty holds no MailRelay that could run: add one, it is taken at once/);
});

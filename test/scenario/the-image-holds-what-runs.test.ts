/** The programs as the image holds them: bundled, on nothing but Node and its libraries, as another user. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildArchive, lastStage, layOutRoot } from "../../image/build.ts";
import { besideRelay } from "../support/inspection.ts";
import { Program } from "../support/program.ts";
import { repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { lacking, needsRoot } from "../support/tools.ts";
import { until } from "../support/until.ts";

const scratch = mkdtempSync(join(tmpdir(), "mailboat-image-test-"));
const root = join(scratch, "root");
before(() => layOutRoot(root));
after(() => rmSync(scratch, { recursive: true, force: true }));

const userOfPods = 64_464;
const state = "/var/lib/mailboat";

function filesBelow(
  folder: string,
): readonly { readonly path: string; readonly size: number; readonly mode: number }[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => {
    const { size, mode } = lstatSync(join(folder, path));
    return { path, size, mode };
  });
}

test("the root is Node, its libraries and our bundles, under 200 MiB", (t) => {
  const files = filesBelow(root);
  const mebibytes = files.reduce((sum, file) => sum + file.size, 0) / 2 ** 20;
  t.diagnostic(`${mebibytes.toFixed(1)} MiB unpacked`);
  assert.ok(mebibytes < 200, `${mebibytes} MiB`);
  const programs = files.filter(({ path }) => /(?:^|\/)s?bin\/./.test(path)).map(({ path }) => path);
  assert.deepEqual(programs, ["usr/local/bin/node"]);
  const writable = files.filter(
    ({ path, mode }) => path !== "tmp" && (mode & 0o022) !== 0 && (mode & 0o170000) !== 0o120000,
  );
  assert.deepEqual(writable, []);
});

test("licences of the bundled libraries go with them", () => {
  const licences = readFileSync(join(root, "app/relay/LICENCES"), "utf8");
  for (const name of ["smtp-server", "nodemailer", "zod"]) assert.match(licences, new RegExp(`^${name} \\d`, "m"));
});

test("the bundled relay keeps what it took over kill -9, and delivers it", async (t) => {
  const startedAt = performance.now();
  const main = join(root, "app/relay/main.js");
  const stage = await openStage(t, { file: import.meta.url, name: "bundle", relay: { main } });
  t.diagnostic(`ready after ${Math.round(performance.now() - startedAt)} ms, test keys included`);
  const send = async (subject: string): Promise<void> => {
    const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
    const reply = await client.send(sender, ["someone@example.org"], simpleMessage(subject));
    assert.equal(reply.code, 250);
    client.destroy();
  };
  await send("before");
  await stage.relay.program.kill("SIGKILL");
  await stage.restart();
  await send("after");
  await stage.hop.waitUntil("both messages", () =>
    ["before", "after"].every((subject) => stage.hop.mails.some((mail) => subjectOf(mail.message) === subject)),
  );
});

test("the bundled page of local mode shows what the bundled relay captured, with the files that a browser needs", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    name: "page",
    relay: { main: join(root, "app/relay/main.js") },
    plan: { delivery: { mode: "Capture" } },
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  const reply = await client.send(sender, ["customer@example.org"], simpleMessage("a receipt"));
  assert.equal(reply.code, 250);
  client.destroy();
  await stage.relay.program.waitForLog("captured");
  const logFile = join(stage.directory, "page.log");
  const { MAILBOAT_SPOOL_DIR: spool = "" } = besideRelay(stage.relay);
  const command = [process.execPath, join(root, "app/page/main.js"), "--port", "0", "--directory", spool];
  const page = new Program({ command, env: {}, logFile });
  t.after(() => page.kill("SIGKILL"));
  const place = (): string | undefined =>
    existsSync(logFile) ? /http:\/\/localhost:\d+/.exec(readFileSync(logFile, "utf8"))?.[0] : undefined;
  await until("the page", () => place() !== undefined);
  const origin = place() ?? "";
  const text = async (path: string): Promise<string> => (await fetch(`${origin}${path}`)).text();
  await until("the message", async () => (await text("/api/messages")).includes('"subject":"a receipt"'));
  // A browser runs a module and applies a style sheet of these types only (the page is sent with nosniff).
  for (const [path, type, content] of [
    ["/", "text/html; charset=utf-8", /<!doctype html>[^]*page\/main\.js/i],
    ["/page/main.js", "text/javascript; charset=utf-8", /^import .* from "\.\/[a-z]+\.js";$/m],
    ["/page/base.css", "text/css; charset=utf-8", /^:root \{$/m],
  ] as const) {
    const response = await fetch(`${origin}${path}`);
    assert.equal(response.status, 200, path);
    assert.equal(response.headers.get("content-type"), type, path);
    assert.match(await response.text(), content, path);
  }
  assert.equal(await page.kill("SIGTERM"), 0);
});

const alone = "the relay runs on the root alone, as its pods' user, and is ready within a second";
test(alone, { skip: needsRoot() }, async (t) => {
  const stage = await openStage(t, { file: import.meta.url, name: "configuration" });
  const inside = join(root, state);
  cpSync(join(stage.directory, "config"), join(inside, "config"), { recursive: true, verbatimSymlinks: true });
  const times: number[] = [];
  // The machine is busy with other things at times: the best of three is what the program needs.
  for (const spool of ["first", "second", "third"]) {
    mkdirSync(join(inside, spool));
    chownSync(join(inside, spool), userOfPods, userOfPods);
    const startedAt = performance.now();
    const program = startInRoot(spool, join(stage.directory, "inside.log"));
    t.after(() => program.kill("SIGKILL"));
    await program.waitForLog("ready");
    times.push(Math.round(performance.now() - startedAt));
    assert.equal(await program.kill("SIGTERM"), 0);
  }
  t.diagnostic(`start to ready ${times.join(", ")} ms`);
  assert.ok(Math.min(...times) < 1_000, `${times.join(", ")} ms`);
});

function startInRoot(spool: string, logFile: string): Program {
  const user = `--userspec=${userOfPods}:${userOfPods}`;
  return new Program({
    command: ["chroot", user, root, "/usr/local/bin/node", "/app/relay/main.js", "run"],
    env: {
      MAILBOAT_CONFIGURATION_DIR: join(state, "config"),
      MAILBOAT_SPOOL_DIR: join(state, spool),
      MAILBOAT_LISTEN_HOST: "127.0.0.1",
      MAILBOAT_PORTS: JSON.stringify({ submission: 0, submissions: 0, smtp: 0, http: 0 }),
    },
    logFile,
  });
}

test("the operator's bundle starts and says what it can do", () => {
  const main = join(root, "app/operator/main.js");
  const help = spawnSync(process.execPath, [main, "--help"], { encoding: "utf8" });
  assert.equal(help.status, 0);
  assert.match(help.stdout, /Mailboat operator/);
  const local = spawnSync(process.execPath, [main, "local"], { encoding: "utf8" });
  assert.equal(local.status, 2);
  assert.match(local.stderr, /unknown verb local/);
});

test(
  "the Dockerfile's last part gives the tests' image its user, entry point and labels",
  { skip: needsRoot() || lacking("buildah") },
  async () => {
    const archive = join(scratch, "image.tar");
    await buildArchive({ tag: "mailboat.test/mailboat:7", version: "7", archive, scratch });
    const layout = join(scratch, "layout");
    mkdirSync(layout);
    execFileSync("tar", ["-xf", archive, "-C", layout]);
    const { config } = configurationOf(layout);
    assert.equal(config.User, "64464:64464");
    assert.deepEqual(config.Entrypoint, ["/usr/local/bin/node", "/app/relay/main.js"]);
    assert.deepEqual(config.Cmd, ["run"]);
    assert.equal(config.Labels["org.opencontainers.image.version"], "7");
    assert.equal(config.Labels["org.opencontainers.image.licenses"], "Apache-2.0");
  },
);

test("a Dockerfile whose last part changed its form is refused", () => {
  assert.throws(() => lastStage("FROM node\n"), /must start with FROM scratch/);
  assert.throws(() => lastStage("FROM node\nFROM scratch\nUSER 1\n"), /must copy the root/);
  assert.match(lastStage(readFileSync(join(repositoryRoot, "Dockerfile"), "utf8")), /^COPY root \/$/m);
});

interface ImageConfiguration {
  readonly config: {
    readonly User: string;
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly Labels: Readonly<Record<string, string>>;
  };
}

/** By way of index and manifest, as a runtime reads an OCI image layout. */
function configurationOf(layout: string): ImageConfiguration {
  const blob = (digest: string): string => readFileSync(join(layout, "blobs", digest.replace(":", "/")), "utf8");
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as { manifests: { digest: string }[] };
  const manifest = JSON.parse(blob(index.manifests[0]?.digest ?? "")) as { config: { digest: string } };
  return JSON.parse(blob(manifest.config.digest)) as ImageConfiguration;
}

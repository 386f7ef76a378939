/** Who runs local mode recognises his messages: in the terminal, by `trace` and `spool`, also after a stop; and clears them away. */
import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand, type CommandResult } from "../gate/command.ts";
import { LocalMode, localLogin, localManifests } from "../support/local.ts";
import { Program } from "../support/program.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { SmtpClient } from "../support/smtpclient.ts";
import { lacking } from "../support/tools.ts";

const main = join(repositoryRoot, "local/main.ts");
const directory = makeResultsDirectory(import.meta.url, "local");
const state = join(directory, "state");

function verb(name: string, ...args: readonly string[]): Promise<CommandResult> {
  return runCommand(process.execPath, [main, name, "--state", state, ...args]);
}

async function told(name: string, ...args: readonly string[]): Promise<string> {
  const { code, output } = await verb(name, ...args);
  assert.equal(code, 0, output);
  return output;
}

function messageOf(subject: string, id: string): Buffer {
  const fields = [
    "From: app@example.com",
    "To: x@example.net",
    `Subject: ${subject}`,
    `Message-ID: <${id}@example.com>`,
  ];
  return Buffer.from(`${fields.join("\r\n")}\r\n\r\nHello\r\n`, "latin1");
}

/** Waits for the line, and gives it with the one below. */
async function linesOf({ program }: LocalMode, first: RegExp): Promise<readonly [string, string]> {
  const line = await program.waitFor(String(first), (text) => first.test(text));
  const index = program.lines.indexOf(line);
  // The two are written one after the other.
  await program.waitFor("the line below", () => program.lines.length > index + 1);
  return [line, program.lines[index + 1] ?? ""];
}

async function failLogin(local: LocalMode, username: string, password: string): Promise<void> {
  const client = await SmtpClient.connect(local.port("submissions"), { implicitTls: true });
  await client.reply();
  await client.command("EHLO test");
  assert.match(await client.login(username, password), /^535 /);
  client.destroy();
}

test("one's own messages in the terminal, by trace and by spool, while local mode runs and after", async (t) => {
  const local = await LocalMode.start({ directory, manifests: localManifests() });
  t.after(() => local.program.kill("SIGKILL"));
  const ids = new Map<string, string>();

  await t.test("a start says the banner and nothing as wrong", () => {
    const banner = local.program.lines.slice(0, local.program.lines.indexOf("ready"));
    assert.ok(banner.length <= 15, banner.join("\n"));
    assert.match(banner[0] ?? "", /^Mailboat runs .*; http:\/\/localhost:\d+\/ shows each message$/);
    assert.match(banner.at(-1) ?? "", /Ctrl-C stops; nothing accepted is lost\.$/);
    assert.doesNotMatch(banner.join("\n"), /(?:False|Stalled|warn|no certificate)/);
    assert.match(banner.join("\n"), new RegExp(`curl .*smtp://127\\.0\\.0\\.1:${local.port("smtp")} --mail-from`));
  });

  await t.test("a line has the recipient and the subject, whatever became of the message", async () => {
    const client = await openSession({ name: "submission", port: local.port("submission") }, localLogin);
    for (const [subject, id, recipients] of [
      ["=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?=1B[2Jred?=", "one", ["anna@example.net", "berta@example.net"]],
      ["Your parcel", "two", ["refuse@example.net"]],
      ["It waits", "three", ["full@example.net"]],
    ] as const) {
      const reply = await client.send("app@example.com", recipients, messageOf(subject, id));
      assert.equal(reply.code, 250, reply.text);
      ids.set(id, /accepted as (\w+)/.exec(reply.text)?.[1] ?? assert.fail(reply.text));
    }
    client.destroy();
    const [delivered, file] = await linesOf(local, /^\S+ delivered anna@/);
    assert.match(
      delivered,
      /^\d\d:\d\d:\d\d delivered anna@example\.net and 1 more "Grüße \[2Jred" 250 2\.6\.0 dkim=pass$/,
    );
    assert.match(file, new RegExp(`^ +${ids.get("one") ?? ""} from app@example\\.com .*state/captured/\\S+\\.eml \\(`));
    const [failed, reason] = await linesOf(local, /^\S+ failed /);
    assert.match(failed, /^\S+ failed refuse@example\.net "Your parcel" 550 5\.1\.1$/);
    assert.match(
      reason,
      new RegExp(`${ids.get("two") ?? ""} from app@example\\.com by .*: <\\*@example\\.net> is no user here$`),
    );
    const [deferred] = await linesOf(local, /^\S+ deferred /);
    assert.match(deferred, /^\S+ deferred full@example\.net "It waits" 452 4\.2\.2 again in \d+ s$/);
    await linesOf(local, /^\S+ bounced to app@example\.com "Your parcel"$/);
    // The notice comes back to who sent it.
    await linesOf(local, /^\S+ delivered app@example\.com "Your message could not be delivered" 250/);
  });

  await t.test("a failed login names the user, and what is wrong with it", async () => {
    await failLogin(local, localLogin.name, "another");
    await local.program.waitFor("a wrong password", (line) =>
      line.startsWith(
        'login as "app" on submissions failed: the password is not the one of Secret mail/app-login in domain.yaml',
      ),
    );
    await failLogin(local, "apps", localLogin.password);
    await local.program.waitFor("an unknown user", (line) =>
      line.startsWith(
        'login as "apps" on submissions failed: no user is called so: did you mean app (Secret mail/app-login',
      ),
    );
    assert.ok(!local.program.lines.some((line) => /refused .*535/.test(line)), "told twice");
  });

  await t.test("trace finds a message by each of its names, and lists those that fit", async () => {
    const one = await told("trace", "--id", ids.get("one") ?? "");
    assert.match(
      one,
      /^"Grüße \[2Jred"\nfrom app@example\.com to anna@example\.net, berta@example\.net\ndelivered dkim=pass\n/,
    );
    assert.match(one, /\d\d:\d\d:\d\d accepted on submission, for 2 recipients; safe on disk\n/);
    assert.match(one, /smtp\.receive +\|.*\n.*mail\.spool/);
    assert.match(one, /^arrived as \S+\.eml$/m);
    const traceId = /^trace ([0-9a-f]{32})$/m.exec(one)?.[1] ?? assert.fail(one);
    for (const id of ["<one@example.com>", "one@example.com", traceId, `00-${traceId}-00f067aa0ba902b7-01`, "grüße"])
      assert.equal(await told("trace", "--id", id), one, id);
    // What never arrived is found by what its notice gives back.
    assert.match(await told("trace", "--id", "two@example.com"), /refuse@example\.net[^]*bounced/);
    const both = await told("trace", "--id", "your");
    assert.match(both, /^2 messages fit your, the newest first; make trace ID=\.\.\. tells one's way:\n/);
    assert.match(await told("trace"), new RegExp(`^${ids.get("three") ?? ""} .*full@example\\.net "It waits"$`, "m"));
    const unknown = await verb("trace", "--id", "0mnothing");
    assert.equal(unknown.code, 1);
    assert.match(unknown.output, /^nothing is known of 0mnothing in .*: ID is a spool id/);
  });

  await t.test("spool says what waits and why, and clear is for when nothing runs", async () => {
    assert.match(
      await told("spool"),
      new RegExp(
        `^${ids.get("three") ?? ""} \\d+ s old from app@example\\.com "It waits"\n` +
          " +to full@example\\.net, tried (?:once|\\d+ times), (?:next in \\d+ s|due now): 452 4\\.2\\.2 .*\n1 message waits in ",
      ),
    );
    for (const args of [["clear", "--force"], ["run"]] as const) {
      const [name, ...flags] = args;
      const refused = await verb(name, ...flags);
      assert.equal(refused.code, 2);
      assert.match(
        refused.output,
        /^mailboat: another local mode runs on \S+ \(http:\/\/localhost:\d+\/\): stop it, or /,
      );
      assert.equal(refused.output.trimEnd().split("\n").length, 1);
    }
  });

  await t.test("the stop says what waits, and both verbs still know it", async () => {
    assert.equal(await local.program.kill("SIGINT"), 0);
    assert.deepEqual(local.program.lines.slice(-2), ["stopping", "stopped; 1 message waits"]);
    assert.match(await told("spool"), /"It waits"\n[^]*^1 message waits in .*; the next `make run` goes on with it$/m);
    assert.match(
      await told("trace", "--id", "three@example.com"),
      /^"It waits"\n[^]*waits in the spool of mail\.outbound-0 for full@/,
    );
  });

  await t.test("the next start goes on with it, and knows whose it is", async () => {
    await local.startAgain();
    await linesOf(local, /^\S+ deferred full@example\.net "It waits" 452/);
    assert.equal(await local.program.kill("SIGTERM"), 0);
    assert.equal(local.program.lines.at(-1), "stopped; 1 message waits");
  });

  await t.test("who wants it quiet reads the page's address, and nothing else while nothing is wrong", async () => {
    const flags = ["--manifests", join(directory, "manifests"), "--state", state, "--quiet"];
    const program = new Program({
      command: [process.execPath, main, "run", ...flags],
      logFile: join(directory, "quiet.log"),
    });
    t.after(() => program.kill("SIGKILL"));
    await program.waitFor("the page's address", (line) => line === local.page);
    assert.equal(await program.kill("SIGINT"), 0);
    assert.deepEqual(program.lines, [local.page]);
  });

  await t.test("FORCE is for make clear when it stands behind it", { skip: lacking("make") }, async () => {
    const copy = join(directory, "copy");
    cpSync(state, copy, { recursive: true });
    const asInstalled = ["--no-print-directory", "-C", repositoryRoot, "-o", "node_modules/.installed"];
    const clear = (...words: readonly string[]): Promise<CommandResult> =>
      runCommand("make", [...asInstalled, "clear", `STATE=${copy}`, ...words], {
        env: { FORCE: "1", MAILBOAT_FORCE: "1" },
      });
    for (const words of [[], ["FORCE=0"]]) {
      const refused = await clear(...words);
      assert.notEqual(refused.code, 0, refused.output);
      assert.match(refused.output, /^mailboat: in \S+ 1 message waits, and would be lost: .*\(make clear FORCE=1\)/);
    }
    assert.match((await clear("FORCE=1")).output, /^removed from .* 1 spool with 1 message that waited;/);
  });

  await t.test("clear refuses to lose what waits, and then says what it removed", async () => {
    const refused = await verb("clear");
    assert.equal(refused.code, 2);
    assert.match(refused.output, /^mailboat: in \S+ 1 message waits, and would be lost: `make run` goes on with it, /);
    assert.ok(existsSync(join(state, "captured")));
    assert.match(
      await told("clear", "--force"),
      /^removed from \S+: 2 captured messages and what was remembered of them, 1 spool with 1 message that waited; keys, certificates and ports stay\n$/,
    );
    assert.match(await told("spool"), /^nothing waits in /);
    assert.equal((await verb("trace")).output, `no message has come to ${state} yet\n`);
    assert.match(await told("clear"), /^there is no mail in /);
    assert.ok(readdirSync(join(state, "secrets")).length > 0);
    assert.match(readFileSync(join(state, "ports.json"), "utf8"), /outbound-0/);
  });
});

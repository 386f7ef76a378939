/** What README tells a newcomer to type works as it stands, and what it says of recipients is what the code does. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { parse, parseAllDocuments } from "yaml";
import { apiVersion } from "../../api/group.ts";
import { readManifest } from "../../api/manifest.ts";
import { placeIn } from "../../api/fault/path.ts";
import { behaviourRows, codeRow } from "../../local/capture/behaviour.ts";
import { runCommand } from "../gate/command.ts";
import { blockTexts } from "../support/documentblocks.ts";
import { LocalMode } from "../support/local.ts";
import { Program } from "../support/program.ts";
import { relayManifest } from "../support/controlplane/manifests.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

const readme = readFileSync(join(repositoryRoot, "README.md"), "utf8");
const commands = [...readme.matchAll(/^```sh\n([^]*?)^```$/gm)].map((match) => match[1] ?? "");
const outlines = z.array(
  z.object({ id: z.string(), subject: z.string().optional(), standing: z.string(), dkim: z.string().optional() }),
);

/** What programs print there. */
const outputs = [...readme.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].flatMap(([, kind, text = ""]) =>
  kind === "" ? [text] : [],
);

/** By program, the port that stands in its lines, and the listener that it is. */
const senders = [
  { program: "curl", port: "2025", listener: "smtp" },
  { program: "curl", port: "2587", listener: "submission" },
  { program: "python3", port: "2587", listener: "submission" },
  { program: "swaks", port: "2587", listener: "submission" },
] as const;
for (const { program, port, listener } of senders) {
  const what = `README's lines for ${program} on ${port} send a message that arrives signed`;
  test(what, { skip: lacking(program) }, async (t) => {
    const command = commands.find((text) => text.includes(`${program} -`) && text.includes(port));
    assert.ok(command !== undefined);
    const hasTls = program !== "swaks" || (await runCommand("perl", ["-MNet::SSLeay", "-e1"])).code === 0;
    if (!hasTls) return t.skip("not installed: libnet-ssleay-perl");
    const directory = makeResultsDirectory(import.meta.url, `${program}-${port}`);
    const example = (name: string): string => readFileSync(join(repositoryRoot, "examples/local", name), "utf8");
    const local = await LocalMode.start({
      directory,
      manifests: { "relay.yaml": example("relay.yaml"), "example-com.yaml": example("example-com.yaml") },
    });
    t.after(async () => {
      await local.program.kill("SIGINT");
    });
    // What local mode prints here goes into a file, which is kept.
    const printed = readFileSync(join(directory, "local.log"), "utf8");
    assert.match(printed, /PASSWORD stands for data key password of Secret mail\/\S+ in \S+\.yaml/);
    assert.doesNotMatch(printed, /app-password/);
    assert.equal(statSync(join(directory, "state")).mode & 0o777, 0o700);
    assertShown(printed, directory);
    const result = await runCommand("bash", ["-c", command.replaceAll(port, String(local.port(listener)))]);
    assert.equal(result.code, 0, result.output);
    let id = "";
    await until("the message on the page", async () => {
      const list = outlines.parse(await (await fetch(`${local.page}api/messages`)).json());
      const found = list.find(
        ({ subject, standing, dkim }) => subject === "hello" && standing === "delivered" && dkim === "pass",
      );
      id = found?.id ?? "";
      return found !== undefined;
    });
    const look = commands.find((text) => text.includes("relay/main.ts trace ID"));
    assert.ok(look !== undefined);
    const here = look
      .replaceAll(".mailboat/", `${directory}/state/`)
      .replace("trace ID", `trace ${id} --port ${local.port("http")}`);
    const told = await runCommand("bash", ["-ec", `cd ${repositoryRoot}\n${here}`]);
    assert.equal(told.code, 0, told.output);
    assert.match(told.output, new RegExp(`^${id} from example\\.com`, "m"));
  });
}

test(
  "docs/local-mode.md: another domain may send at once, and containers are trusted",
  { skip: lacking("curl") },
  async (t) => {
    const page = "docs/local-mode.md";
    const [copies = "", , trusts = ""] = blockTexts(page, "sh");
    const [domain = ""] = blockTexts(page, "yaml");
    const directory = makeResultsDirectory(import.meta.url, "local-mode");
    const script = [
      copies.replace("examples/local", join(repositoryRoot, "examples/local")),
      trusts.replace(/^make run.*$/m, ""),
    ];
    const { code, output } = await runCommand("bash", ["-ec", `cd ${directory}\n${script.join("\n")}`]);
    assert.equal(code, 0, output);
    const mine = (name: string): string => readFileSync(join(directory, "my-mail", name), "utf8");
    assert.match(mine("relay.yaml"), /trustedNetworks: \[172\.16\.0\.0\/12, 127\.0\.0\.0\/8, /);
    const local = await LocalMode.start({
      directory,
      manifests: { "relay.yaml": mine("relay.yaml"), "example-com.yaml": mine("example-com.yaml") },
    });
    t.after(async () => {
      await local.program.kill("SIGINT");
    });
    writeFileSync(join(directory, "manifests/shop-example.yaml"), domain);
    const line = commands.find((text) => text.includes("curl -") && text.includes("2025")) ?? "";
    const send = line.replaceAll("app@example.com", "app@shop.example").replaceAll("2025", String(local.port("smtp")));
    await until("the other domain may send", async () => (await runCommand("bash", ["-c", send])).code === 0);
    await until("its message on the page", async () => {
      const list = outlines.parse(await (await fetch(`${local.page}api/messages`)).json());
      return list.some(({ subject, dkim }) => subject === "hello" && dkim === "pass");
    });
  },
);

/** Ports are others here, and so are the folders. */
function assertShown(printed: string, directory: string): void {
  const portless = (text: string): readonly string[] =>
    text
      .replaceAll(`${directory}/manifests`, "examples/local")
      .replaceAll(`${directory}/state`, ".mailboat")
      .replaceAll(/:\d+\b/g, ":PORT")
      .split("\n")
      .map((line) => line.replaceAll(/ +/g, " ").trim());
  const banner = outputs.find((text) => text.startsWith("Mailboat runs ")) ?? "";
  const lines = new Set(portless(printed));
  assert.ok(portless(banner).length >= 7, banner);
  assert.deepEqual(
    portless(banner).filter((line) => !lines.has(line)),
    [],
  );
}

test("make demo starts a local mode of its own when none runs, and all ends as it should", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "demo");
  const flags = ["--manifests", join(repositoryRoot, "examples/local"), "--state", join(directory, "state")];
  const program = new Program({
    command: [process.execPath, join(repositoryRoot, "local/main.ts"), "demo", ...flags],
    logFile: join(directory, "demo.log"),
  });
  t.after(() => program.kill("SIGKILL"));
  await program.waitFor("the end of the demonstration", (line) => line.startsWith("All as it should be"), 90_000);
  await program.waitFor("the invitation", (line) => line.startsWith("Local mode goes on"));
  assert.equal(await program.kill("SIGINT"), 0);
});

test("README lists the recipients that behave, as the code has them", () => {
  for (const { localPart, does } of behaviourRows)
    assert.match(readme, new RegExp(`\\| \`${localPart}@\` +\\| ${does} +\\|`));
  assert.ok(readme.includes(codeRow.does));
});

test("every verb that README names exists", () => {
  const makefile = readFileSync(join(repositoryRoot, "Makefile"), "utf8");
  const verbs = new Set([...readme.matchAll(/\bmake ([a-z]+)\b/g)].map((match) => match[1] ?? ""));
  assert.ok(verbs.size >= 8, [...verbs].join(" "));
  for (const verb of verbs) assert.match(makefile, new RegExp(`^${verb}:`, "m"), `make ${verb}`);
});

test("every link of the documents leads to a file, and to a heading where it names one", () => {
  const documents = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", ...pages()];
  const links = documents.flatMap((document) =>
    [...textOf(document).matchAll(/\]\(([^)\s:]+)\)/g)].map((match) => ({ document, link: match[1] ?? "" })),
  );
  assert.ok(links.length >= 30, `found only ${links.length}`);
  const dead = links.filter(({ document, link }) => !leads(document, link));
  assert.deepEqual(dead, []);
});

test("every YAML block of the documents is taken as it stands", () => {
  const blocks = pages().flatMap((document) => blockTexts(document, "yaml").map((text) => ({ document, text })));
  assert.ok(blocks.length >= 8, `found only ${blocks.length}`);
  const values: unknown = parse(textOf("charts/mailboat/values.yaml"));
  const wrong = blocks.flatMap(({ document, text }) =>
    parseAllDocuments(text).flatMap((part) => {
      const isOfChart = text.trimStart().startsWith("# values of the chart");
      const faults = isOfChart ? unknownValues(part.toJS(), values) : faultsOf(part.toJS());
      return [...part.errors.map(({ message }) => message), ...faults].map((fault) => `${document}: ${fault}`);
    }),
  );
  assert.deepEqual(wrong, []);
});

/** A block that is a spec alone is one of a MailRelay. */
function faultsOf(value: unknown): readonly string[] {
  const spec = placeIn(value, ["spec"]);
  const version = placeIn(value, ["apiVersion"]);
  const isPart = version === undefined && typeof spec === "object" && spec !== null;
  if (version !== apiVersion && !isPart) {
    const name = placeIn(value, ["metadata", "name"]);
    return typeof version === "string" && typeof name === "string" ? [] : ["is neither a manifest nor a spec"];
  }
  const manifest = readManifest(isPart ? relayManifest({ namespace: "mail", name: "outbound", spec }) : value);
  return manifest.kind === "invalid" ? manifest.errors.map(({ path, message }) => `${path} ${message}`) : [];
}

function unknownValues(written: unknown, known: unknown, path: PropertyKey[] = []): readonly string[] {
  const value = placeIn(written, path);
  if (placeIn(known, path) === undefined) return [`${path.map(String).join(".")} is no value of the chart`];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [];
  return Object.keys(value).flatMap((key) => unknownValues(written, known, [...path, key]));
}

function pages(): readonly string[] {
  return ["README.md", ...globSync("docs/**/*.md", { cwd: repositoryRoot })];
}

function textOf(document: string): string {
  return readFileSync(join(repositoryRoot, document), "utf8");
}

function leads(document: string, link: string): boolean {
  const [path = "", heading] = link.split("#");
  const target = path === "" ? document : join(dirname(document), path);
  if (!existsSync(join(repositoryRoot, target))) return false;
  return heading === undefined || headingsOf(textOf(target)).has(heading);
}

/** As GitHub names them in links. */
function headingsOf(text: string): ReadonlySet<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? "");
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

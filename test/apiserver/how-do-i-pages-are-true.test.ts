/**
 * What the how-to pages tell people to do: every block of every page is typed as it is printed, in the order of the page, on a real API
 * server with the operator, with pods that are stood in for, and with a real relay where a page asks a pod. The few that cannot be typed
 * here are counted.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync, mkdirSync, copyFileSync, cpSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { parseAllDocuments } from "yaml";
import { placeIn } from "../../api/fault/path.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { runCommand } from "../gate/command.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane, provideControlPlane } from "../support/controlplane/programs.ts";
import { type DocumentBlock, documentBlocks } from "../support/documentblocks.ts";
import { besideRelay } from "../support/inspection.ts";
import { makeCertificate, makeRsaKey } from "../support/keys.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane() === false ? lacking("openssl") : lackingControlPlane();
const folder = "docs/how-to";
const pages = globSync("*.md", { cwd: join(repositoryRoot, folder) })
  .filter((page) => page !== "README.md")
  .toSorted();
/** Pods that are stood in for keep the certificate that they began with: the page that changes it comes last. */
const changesCertificate = "own-certificate.md";
const inOrder = [...pages.filter((page) => page !== changesCertificate), changesCertificate];

const needsSnapshots = "needs a storage driver that takes snapshots";
const typedWithTheChart = "test/chart/chart-installs-on-a-real-api-server.test.ts types it";
/** Whole pages and single blocks that are typed elsewhere, or that need somebody's account. */
const elsewhere: readonly { readonly page: string; readonly begins: string; readonly why: string }[] = [
  { page: "amazon-ses.md", begins: "aws sesv2 create-email-identity", why: "needs an account of Amazon" },
  { page: "back-up-and-restore.md", begins: "helm get values", why: typedWithTheChart },
  { page: "back-up-and-restore.md", begins: "apiVersion: snapshot.storage", why: needsSnapshots },
  { page: "back-up-and-restore.md", begins: "apiVersion: v1\nkind: PersistentVolumeClaim", why: needsSnapshots },
  { page: "client-certificates.md", begins: "apiVersion: cert-manager.io", why: "needs cert-manager and an issuer" },
  {
    page: "client-certificates.md",
    begins: "curl",
    why: "test/scenario/a-certificate-lets-its-owner-in.test.ts types it",
  },
  { page: "delete-everything.md", begins: "", why: typedWithTheChart },
  {
    page: "send-without-a-password.md",
    begins: "curl",
    why: "needs an issuer; test/scenario/clients-of-others-send-and-hear-why.test.ts logs in by curl so",
  },
];

const pair = ["relay.yaml", "domain.yaml"].map((name) => join(repositoryRoot, "examples/cluster", name));
/** The first page is typed when everything is new: pods, keys, and what kubectl knows of the server. */
const withinMs = 60_000;
const stolenKey = "A key that was stolen";
const outbound = { namespace: "mail", name: "outbound" };
const exampleCom = { namespace: "mail", name: "example-com" };
let stage: OperatorStage;
let pods: PodStandIn;
let directory: string;

before(
  async () => {
    if (skip !== false) return;
    directory = makeResultsDirectory(import.meta.url, "files");
    stage = await OperatorStage.open(import.meta.url);
    stage.plane.kubectl(["create", "namespace", "mail"]);
    stage.giveSecrets("mail");
    await stage.operator().leading();
    pods = await startPods(stage.client);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  // A page labels the one namespace that is older than the file, and stays when it is over.
  stage.plane.kubectl(["label", "namespace", "default", "example.com/sends-mail-"]);
  await pods.stop();
  await stage.close();
});

/** What a page takes for granted beside the first relay and the first domain, by page and heading. */
const given: Readonly<Record<string, () => void>> = {
  "own-certificate.md": () => {
    const { certificate, privateKey } = makeCertificate(directory, "relay.example.com");
    writeFileSync(join(directory, "fullchain.pem"), certificate);
    writeFileSync(join(directory, "privkey.pem"), privateKey);
  },
  "rotate-a-dkim-key.md#Keys of your own": () => {
    keep("old.pem", makeRsaKey("s1").privateKey);
    const secret = ["create", "secret", "generic", "example-com-s1", "--namespace", "mail"];
    stage.plane.kubectl([...secret, `--from-file=privateKey=${join(directory, "old.pem")}`]);
    const keys = [{ selector: "s1", secretRef: { name: "example-com-s1" } }];
    patch("senderdomain", exampleCom.name, { spec: { dkim: { managed: null, keys } } });
  },
  "rotate-a-dkim-key.md#Managed keys": () => {
    patch("senderdomain", exampleCom.name, { spec: { dkim: { managed: {}, keys: null } } });
  },
  "back-up-and-restore.md": () => {
    mkdirSync(join(directory, "your-manifests"));
    for (const file of pair) copyFileSync(file, join(directory, "your-manifests", basename(file)));
  },
  "client-certificates.md": () => {
    keep("workloads-ca.crt", makeCertificate(directory, "workloads").certificate);
  },
  "send-without-a-password.md": () => {
    const example = "examples/pod-identity";
    cpSync(join(repositoryRoot, example), join(directory, example), { recursive: true });
  },
  "move-from-postfix.md": () => {
    keep("example.com.private", makeRsaKey("mail").privateKey);
  },
};

/** What must be seen of a page, in what its blocks printed. */
const shows: Readonly<Record<string, readonly RegExp[]>> = {
  "back-up-and-restore.md": [/^mail +example-com +mbe[0-9a-f]{10}$/m],
  "client-certificates.md": [
    /configmap\/workloads created[^]*senderdomain\.mailboat\.dev\/example-com patched[^]*condition met/,
  ],
  "find-out-why-a-message-waits.md": [/451 4\.2\.0 mailbox busy/, /in the spool: 1 recipient at example\.net/],
  "own-certificate.md": [/Reason: +Valid$/m],
  "read-a-bounce.md": [/failed +1 recipient at example\.net, attempt 1.*550 5\.1\.1 no such user here/],
  "restrict-who-may-connect.md": [/condition met[^]*cidr: 10\.20\.0\.0\/16[^]*port: 2025/],
  "rotate-a-dkim-key.md": [/^s2\._domainkey\.example\.com\. /m, /^mbe[0-9a-f]{10}\._domainkey\.example\.com\. /m],
  "staging-never-mails-customers.md": [
    /spec\.delivery\.mode is Capture: nothing leaves/,
    /^1 captured message, [^]*app@example\.com +customer@example\.net/m,
  ],
  "second-team.md": [/condition met[^]*_domainkey\.shop\.example\. .*IN TXT/],
};

test("the way round a dead smarthost, in docs/operations.md, can be typed as it is printed", { skip }, async (t) => {
  await firstRelayAndDomain();
  const login = ["--type=kubernetes.io/basic-auth", "--from-literal=username=account", "--from-literal=password=one"];
  stage.plane.kubectl(["create", "secret", "generic", "provider-login", "--namespace=mail", ...login]);
  // A page makes one of the same name itself.
  t.after(() => stage.plane.kubectl(["delete", "secret", "provider-login", "--namespace=mail"]));
  const blocks = documentBlocks("docs/operations.md").filter(({ heading }) => heading === "Your smarthost is dead");
  assert.equal(blocks.length, 3);
  for (const block of blocks) await typed(block, undefined);
  const { spec } = await stage.read("MailRelay", outbound);
  assert.deepEqual(placeIn(spec, ["delivery", "smarthosts", 1, "credentialsRef", "name"]), "other-login");
});

for (const page of inOrder) {
  test(`every block of ${page} can be typed as it is printed`, { skip }, async (t) => {
    const blocks = documentBlocks(`${folder}/${page}`).filter((block) => !isElsewhere(page, block));
    if (blocks.length === 0) return;
    await firstRelayAndDomain();
    const relay = blocks.some(({ text }) => text.includes("kubectl exec")) ? await relayWithMail(t, page) : undefined;
    const selectors = managedSelectors();
    const printed: string[] = [];
    let heading = "";
    given[page]?.();
    for (const block of blocks) {
      if (block.heading !== heading) given[`${page}#${block.heading}`]?.();
      if (block.heading !== heading && block.heading === stolenKey) assertRotated(selectors, printed.join("\n"));
      heading = block.heading;
      printed.push(await typed(block, relay));
    }
    const output = printed.join("\n");
    for (const pattern of shows[page] ?? []) assert.match(output, pattern);
    if (heading === stolenKey) await assertReplaced(blocks.at(-1), printed.at(-2) ?? "");
  });
}

test("what cannot be typed is on a short list, and nothing stands on it that is not there", () => {
  for (const one of elsewhere) {
    const fits = documentBlocks(`${folder}/${one.page}`).filter((block) => isElsewhere(one.page, block));
    assert.ok(fits.length > 0, `${one.page}: ${one.begins}`);
  }
  const languages = new Set(
    pages.flatMap((page) => documentBlocks(`${folder}/${page}`)).map((block) => block.language),
  );
  assert.deepEqual([...languages].toSorted(), ["sh", "text", "yaml"]);
});

test("every page has one row in the table of questions, and the README leads to it", () => {
  const [table, readme] = [`${folder}/README.md`, "README.md"].map((path) =>
    readFileSync(join(repositoryRoot, path), "utf8"),
  );
  const rows = [...(table ?? "").matchAll(/^\| How .*\]\(([a-z0-9-]+\.md)\)|^\| Wh.*\]\(([a-z0-9-]+\.md)\)/gm)];
  assert.deepEqual(rows.map(([, how, what]) => how ?? what ?? "").toSorted(), pages);
  for (const page of pages) assert.ok(readme?.includes(`](${folder}/${page})`), page);
});

function isElsewhere(page: string, { text }: DocumentBlock): boolean {
  return elsewhere.some((one) => one.page === page && text.startsWith(one.begins));
}

function keep(name: string, content: string): void {
  writeFileSync(join(directory, name), content);
}

function patch(kind: "mailrelay" | "senderdomain", name: string, change: object): void {
  stage.plane.kubectl(["patch", kind, name, "--namespace", "mail", "--type=merge", "--patch", JSON.stringify(change)]);
}

/** As the first hour leaves them, whatever the page before has changed. */
async function firstRelayAndDomain(): Promise<void> {
  const isThere = (await stage.get("MailRelay", outbound)) !== undefined;
  for (const file of pair) stage.plane.kubectl([isThere ? "replace" : "create", "--filename", file]);
  await settled();
  await stage.untilCondition("MailRelay", outbound, { type: "Ready", status: "True", withinMs });
  await stage.untilCondition("SenderDomain", exampleCom, { type: "KeysReady", status: "True", withinMs });
}

/** Nothing of both is refused, or accepted without being acted on; a mode that captures is acted on, and said. */
async function settled(): Promise<void> {
  for (const [kind, place] of [
    ["MailRelay", outbound],
    ["SenderDomain", exampleCom],
  ] as const) {
    const object = await stage.read(kind, place);
    const observedGeneration = Number(object.metadata["generation"]);
    const mode = kind === "MailRelay" ? placeIn(object, ["spec", "delivery", "mode"]) : undefined;
    const reason = (mode ?? "Send") === "Send" ? "Accepted" : "MailCaptured";
    const wanted = { type: "Accepted", status: "True", reason, observedGeneration, withinMs };
    await stage.untilCondition(kind, place, wanted);
  }
}

function managedSelectors(): readonly string[] {
  const path = "jsonpath={.items[*].metadata.labels.mailboat\\.dev/dkim-selector}";
  const selected = ["--selector", "mailboat.dev/sender-domain=example-com", "--output", path];
  return stage.plane
    .kubectl(["get", "secrets", "--namespace", "mail", ...selected])
    .split(" ")
    .toSorted();
}

function assertRotated(past: readonly string[], output: string): void {
  const now = managedSelectors();
  assert.deepEqual([past.length, now.length], [2, 2]);
  // Both signed side by side, and nothing of the old ones is left in the manifest.
  for (const selector of [...past, ...now]) assert.ok(output.includes(`${selector}._domainkey.example.com.`), selector);
  assert.deepEqual(
    past.filter((selector) => now.includes(selector)),
    [],
  );
}

/** The stolen ones were printed before they went. The last line is asked again until it prints others, as the page says. */
async function assertReplaced(line: DocumentBlock | undefined, told: string): Promise<void> {
  assert.ok(line !== undefined);
  const selectors = (text: string): readonly string[] =>
    [...text.matchAll(/^(mb[a-z0-9]+)\._domainkey/gm)].map(([, one = ""]) => one);
  const stolen = selectors(told);
  assert.ok(stolen.length >= 2, told);
  await until("keys that were not stolen", async () => {
    const now = selectors(await shell(line.text, undefined));
    return now.length === 2 && now.every((one) => !stolen.includes(one));
  });
}

/** Returns what it printed. */
async function typed({ language, text }: DocumentBlock, relay: RelayWithMail | undefined): Promise<string> {
  if (language === "text") {
    assert.ok(relay !== undefined, "nothing says that this is true");
    relay.sees(text);
    return "";
  }
  if (language === "sh") return shell(text, relay);
  apply(text);
  await settled();
  return "";
}

/** A spec alone is a change to the relay. */
function apply(text: string): void {
  const file = join(directory, "block.yaml");
  writeFileSync(file, text);
  const [first] = parseAllDocuments(text).map((document) => document.toJS() as RawObject);
  if (placeIn(first, ["kind"]) !== undefined) stage.plane.kubectl(["apply", "--filename", file]);
  else
    stage.plane.kubectl(["patch", "mailrelay", "outbound", "--namespace=mail", "--type=merge", `--patch-file=${file}`]);
}

/**
 * The lines of a block. Our operator has a namespace of another name; namespaces and their bindings are made once for all pages. `kubectl exec` runs
 * the relay's verb beside a relay, once the pod that it names is known to be there.
 */
async function shell(text: string, relay: RelayWithMail | undefined): Promise<string> {
  const { kubectl } = await provideControlPlane();
  const beside = Object.entries(relay?.env ?? {}).map(([name, value]) => `${name}='${value}'`);
  const block = text
    .replaceAll("mailboat-system", stage.operatorNamespace)
    .replaceAll("trace ID", `trace ${relay?.id ?? "nobody's"}`);
  const functions = `
    real() { ${kubectl} --kubeconfig=${stage.plane.kubeconfig} "$@"; }
    kubectl() {
      if [ "$1 $2" = "create namespace" ] || [ "$1 $2" = "create rolebinding" ]; then real "$@" --dry-run=client --output yaml | real apply --filename -; return; fi
      if [ "$1" != exec ]; then real "$@"; return; fi
      shift
      local pod=()
      while [ "$1" != -- ]; do pod+=("$1"); shift; done
      real get pod "\${pod[@]}" >/dev/null
      [ "$2 $3" = "node /app/relay/main.js" ]
      shift 3
      env ${beside.join(" ")} ${process.execPath} ${join(repositoryRoot, "relay/main.ts")} "$@"
    }`;
  const script = `${functions}\ncd ${directory}\n${block}`;
  const { code, output } = await runCommand("bash", ["-euo", "pipefail", "-c", script], { deadlineMs: 60_000 });
  assert.equal(code, 0, `${block}\n${output}`);
  return output;
}

interface RelayWithMail {
  readonly env: Readonly<Record<string, string>>;
  /** Of the message. */
  readonly id: string;
  /** Whether this stands in the notice that came of it, times and names apart. */
  sees(text: string): void;
}

/** A message that the next hop puts off, or refuses for the page that is about that; or that it never sees. */
async function relayWithMail(t: TestContext, page: string): Promise<RelayWithMail> {
  const reply = page === "read-a-bounce.md" ? "550 5.1.1 no such user here" : "451 4.2.0 mailbox busy";
  const retry = { firstMs: 60_000, maxMs: 60_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 600_000 };
  const script = { recipient: (address: string) => (address === "customer@example.net" ? reply : undefined) };
  const isCaptured = page === "staging-never-mails-customers.md";
  const plan = { retry, ...(isCaptured ? { delivery: { mode: "Capture" } as const } : {}) };
  const bed = await openStage(t, { file: import.meta.url, name: page, plan, script });
  const client = await openSession({ name: "smtp", port: bed.relay.port("smtp") });
  const accepted = await client.send(sender, ["customer@example.net"], simpleMessage("hello"));
  client.destroy();
  const id = /Message accepted as (\w+)/.exec(accepted.text)?.[1] ?? "";
  if (reply.startsWith("451")) {
    await bed.relay.program.waitForLog(isCaptured ? "captured" : "deferred");
    return { env: besideRelay(bed.relay), id, sees: () => assert.fail("no notice comes of it") };
  }
  await bed.hop.waitForMails(1);
  await bed.relay.program.waitForLog("bounced");
  return { env: besideRelay(bed.relay), id, sees: (text) => assertQuoted(text, noticeOf(bed)) };
}

function noticeOf(bed: Stage): string {
  return bed.hop.mails[0]?.message.toString("latin1").replaceAll("\r\n", "\n") ?? "";
}

function assertQuoted(text: string, notice: string): void {
  const plain = (words: string): string =>
    words
      .replaceAll(/\w{3}, \d\d? \w{3} \d{4} [\d:]{8} [+-]\d{4}/g, "TIME")
      .replaceAll(/\b0m[a-z0-9]{19}\b/g, "ID")
      .replaceAll(/relay\.example\.(?:com|net)/g, "RELAY")
      .replaceAll(/mx\.example\.net|\[127\.0\.0\.1\]|127\.0\.0\.1/g, "HOST")
      .replaceAll(/\s+/g, " ");
  assert.ok(plain(notice).includes(plain(text).trim()), `${text}\nis not in\n${notice}`);
}

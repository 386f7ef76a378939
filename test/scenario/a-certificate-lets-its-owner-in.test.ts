/**
 * Who shows the certificate that a manifest names sends, and nobody else does: curl, Python, msmtp and openssl, with certificates that
 * openssl made, at a real relay. Another bundle of authorities, and another certificate of the relay's, count without a restart.
 */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import type { ListenerDocument } from "../../api/relayconfig.ts";
import { runCommand } from "../gate/command.ts";
import { user } from "../support/configuration.ts";
import { documentBlocks } from "../support/documentblocks.ts";
import { makeIntermediate, makeRoot, makeWorkload, type OpensslPair } from "../support/opensslclients.ts";
import { makeCertificate } from "../support/keys.ts";
import { startPostfix } from "../support/mailhosts.ts";
import { runPython } from "../support/python.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { sClient } from "../support/sclient.ts";
import { SmtpClient } from "../support/smtpclient.ts";
import { openStage, sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { lacking, needsRoot } from "../support/tools.ts";
import { until } from "../support/until.ts";

const common: Pick<ListenerDocument, "port" | "authentication" | "trustedNetworks"> = {
  port: 0,
  authentication: "Required",
  trustedNetworks: [],
};
const listeners: readonly ListenerDocument[] = [
  { ...common, name: "submission", tlsMode: "StartTLS", clientCertificates: "Optional" },
  { ...common, name: "submissions", tlsMode: "Implicit", clientCertificates: "Required", factors: 2 },
  { ...common, name: "servers", tlsMode: "StartTLS", authentication: "Optional", clientCertificates: "Required" },
];
const lackingPostfix = lacking("postfix") || needsRoot();
const spiffe = "spiffe://cluster.local/ns/shop/sa/checkout";

const pythonScript = `
import json, smtplib, ssl, sys
order = json.load(sys.stdin)
answers = []
for case in order["cases"]:
    context = ssl.create_default_context(cafile=order["ca"])
    if case["pair"]:
        context.load_cert_chain(case["pair"]["certificate"], case["pair"]["privateKey"])
    try:
        if case["implicit"]:
            client = smtplib.SMTP_SSL("127.0.0.1", case["port"], timeout=30, context=context)
        else:
            client = smtplib.SMTP("127.0.0.1", case["port"], timeout=30)
            client.starttls(context=context)
        client.ehlo("client.example.net")
        if case["login"] == "EXTERNAL":
            client.auth("EXTERNAL", lambda challenge=None: "")
        elif case["login"] == "password":
            client.login(order["user"]["name"], order["user"]["password"])
        client.sendmail(order["sender"], ["someone@example.org"], order["message"].replace("SUBJECT", case["subject"]))
        client.quit()
        answers.append("sent")
    except smtplib.SMTPResponseException as error:
        answers.append("%d %s" % (error.smtp_code, error.smtp_error.decode()))
json.dump(answers, sys.stdout)
`;

test("clients of others send by their certificates", { skip: lacking("openssl", "curl", "python3") }, async (t) => {
  const files = makeResultsDirectory(import.meta.url, "certificates");
  const [root, other] = [makeRoot(files, "root"), makeRoot(files, "other")];
  const between = makeIntermediate(files, root, "between");
  const pod = makeWorkload(files, between, { name: "pod", uri: spiffe, isBelow: true });
  const neighbour = makeWorkload(files, root, { name: "neighbour", uri: `${spiffe}-2` });
  const stranger = makeWorkload(files, other, { name: "stranger", uri: spiffe });
  const stage = await openStage(t, {
    file: import.meta.url,
    domains: [{ domain: "example.com", certificateUris: [spiffe], trustedNetworks: false }],
    plan: { listeners, clientAuthorities: readFileSync(root.certificate, "utf8") },
  });
  const message = join(files, "message");
  const ca = join(stage.directory, "relay.example.net.crt");
  const port = (listener: string): number => stage.relay.port(listener);

  const curl = async (listener: string, pair: OpensslPair | undefined, subject: string): Promise<string> => {
    writeFileSync(message, simpleMessage(subject));
    const own = pair === undefined ? [] : ["--cert", pair.certificate, "--key", pair.privateKey];
    const login = listener === "submission" ? ["--login-options", "AUTH=EXTERNAL"] : [];
    const mail = ["--mail-from", sender, "--mail-rcpt", "someone@example.org", "--upload-file", message];
    const url = ["--url", `smtp://127.0.0.1:${port(listener)}/client.example.net`, "--ssl-reqd", "--cacert", ca];
    const { code, output } = await runCommand("curl", [
      "--silent",
      "--show-error",
      "-v",
      ...url,
      ...own,
      ...login,
      ...mail,
    ]);
    return code === 0 ? "sent" : output;
  };

  await t.test("curl logs in with EXTERNAL, or sends by the certificate alone", async () => {
    assert.equal(await curl("submission", pod, "curl-external"), "sent");
    assert.equal(await curl("servers", pod, "curl-alone"), "sent");
    assert.match(await curl("servers", undefined, "curl-none"), /530 5\.7\.0 No client certificate was shown/);
    assert.match(await curl("servers", stranger, "curl-stranger"), /530 5\.7\.0 The client certificate cannot be used/);
    assert.match(await curl("servers", neighbour, "curl-neighbour"), /550 5\.7\.1 .*example\.com is not granted/);
  });

  await t.test("Python's smtplib says why, and two factors are both", async () => {
    const cases = [
      { port: port("submission"), implicit: false, pair: pod, login: "EXTERNAL", subject: "python-external" },
      { port: port("submissions"), implicit: true, pair: pod, login: "password", subject: "python-two" },
      { port: port("submissions"), implicit: true, pair: null, login: "password", subject: "python-password" },
      { port: port("submissions"), implicit: true, pair: pod, login: "none", subject: "python-certificate" },
      { port: port("submissions"), implicit: true, pair: pod, login: "EXTERNAL", subject: "python-twice-the-same" },
      { port: port("submission"), implicit: false, pair: stranger, login: "EXTERNAL", subject: "python-stranger" },
    ];
    const order = { cases, ca, user, sender, message: simpleMessage("SUBJECT").toString() };
    const said = await runPython(pythonScript, order, z.array(z.string()));
    assert.deepEqual(said.slice(0, 2), ["sent", "sent"]);
    assert.match(said[2] ?? "", /^530 5\.7\.0 No client certificate was shown/);
    assert.match(said[3] ?? "", /^530 5\.7\.0 Authentication required/);
    assert.match(said[4] ?? "", /^534 5\.7\.9 The certificate is one proof here/);
    assert.match(said[5] ?? "", /^535 5\.7\.8 The client certificate cannot be used: it leads to no authority/);
  });

  await t.test("msmtp logs in with EXTERNAL and a name of its certificate", { skip: lacking("msmtp") }, async () => {
    const msmtp = async (pair: OpensslPair, name: string | undefined, subject: string): Promise<string> => {
      const file = join(files, subject);
      const settings = {
        host: "127.0.0.1",
        port: port("submission"),
        from: sender,
        auth: "external",
        tls: "on",
        tls_trust_file: ca,
        tls_cert_file: pair.certificate,
        tls_key_file: pair.privateKey,
        ...(name === undefined ? {} : { user: name }),
      };
      const lines = Object.entries(settings).map((setting) => setting.join(" "));
      writeFileSync(file, ["account default", ...lines, ""].join("\n"), { mode: 0o600 });
      writeFileSync(message, simpleMessage(subject));
      const sending = `msmtp --file=${file} someone@example.org < ${message}`;
      const { code, output } = await runCommand("bash", ["-c", sending]);
      return code === 0 ? "sent" : output;
    };
    assert.equal(await msmtp(pod, spiffe, "msmtp"), "sent");
    // It says none only in answer to 334, and then leaves that out as well.
    assert.match(await msmtp(pod, undefined, "msmtp-without"), /501 5\.5\.2/);
    assert.match(await msmtp(pod, "someone", "msmtp-other"), /The client certificate has no such name: give none/);
    assert.match(await msmtp(stranger, undefined, "msmtp-stranger"), /EXTERNAL|cannot be used/);
  });

  await t.test("openssl's own client logs in with EXTERNAL, of which an equals sign is no name", async () => {
    const wish = { port: port("submission"), ca };
    const mail = [`mail from:<${sender}>`, "rcpt to:<someone@example.org>", "data"];
    const text = `${simpleMessage("s-client").toString().replaceAll("\r\n", "\n")}\n.`;
    const said = await sClient({ ...wish, pair: pod }, ["ehlo x", "auth external =", ...mail, text, "quit"]);
    assert.deepEqual(
      said.slice(1).map((line) => line.slice(0, 3)),
      ["235", "250", "250", "354", "250", "221"],
      said.join("\n"),
    );
    const self = await sClient({ ...wish, pair: other }, ["ehlo x", "auth external =", "quit"]);
    assert.match(self[1] ?? "", /^535 5\.7\.8 The client certificate cannot be used: it leads to no authority/);
  });

  await t.test("a Postfix sends by its certificate, without a login", { skip: lackingPostfix }, async (inner) => {
    const settings = {
      smtp_tls_security_level: "verify",
      smtp_tls_verify_cert_match: "hostname",
      smtp_tls_CAfile: ca,
      smtp_tls_cert_file: pod.certificate,
      smtp_tls_key_file: pod.privateKey,
    };
    const relayTo = { host: "127.0.0.1", port: port("servers") };
    const postfix = await startPostfix(inner, stage.directory, { relayTo, settings });
    const client = await SmtpClient.connect(postfix.address.port, { implicitTls: false });
    await client.reply();
    await client.command("EHLO client.example.net");
    assert.match(await client.send(sender, ["someone@example.org"], simpleMessage("postfix")), /^250 /);
    client.destroy();
    await until("Postfix' mail", async () =>
      Promise.resolve(stage.hop.mails.some(({ message: mail }) => subjectOf(mail) === "postfix") || undefined),
    );
  });

  await t.test("what the page tells people to type sends", async () => {
    const page = documentBlocks("docs/how-to/client-certificates.md").find(({ text }) => text.startsWith("curl"));
    assert.ok(page !== undefined);
    for (const [name, from] of Object.entries({ "tls.crt": pod.certificate, "tls.key": pod.privateKey, "ca.crt": ca }))
      copyFileSync(from, join(files, name));
    writeFileSync(join(files, "message.eml"), simpleMessage("page", "shop@example.com"));
    const text = page.text.replace("outbound.mail.svc:587", `127.0.0.1:${port("submission")}`);
    const { code, output } = await runCommand("bash", ["-c", `cd ${files}\n${text}`]);
    assert.equal(code, 0, output);
  });

  await t.test("another authority counts at once, and its predecessor no more", async () => {
    const clientAuthorities = readFileSync(other.certificate, "utf8");
    stage.relay.reconfigure({ ...stage.plan, clientAuthorities, revision: "2" });
    await until("revision 2", async () => (await stage.relay.status()).revision === "2" || undefined);
    assert.equal(await curl("servers", stranger, "curl-renewed"), "sent");
    assert.match(await curl("servers", pod, "curl-withdrawn"), /530 5\.7\.0 The client certificate cannot be used/);
  });

  await t.test("the relay's own renewed certificate is shown at once, and clients send as before", async () => {
    const { pid } = stage.relay.program;
    const renewed = makeCertificate(files, "relay.example.net");
    stage.relay.reconfigure({ ...stage.plan, certificate: renewed, revision: "3" });
    await until("revision 3", async () => (await stage.relay.status()).revision === "3" || undefined);
    copyFileSync(join(files, "relay.example.net.crt"), ca);
    assert.equal(await curl("servers", pod, "curl-again"), "sent");
    assert.equal(stage.relay.program.pid, pid);
  });

  const theirs = [...(lacking("msmtp") === false ? ["msmtp"] : []), ...(lackingPostfix === false ? ["postfix"] : [])];
  const ours = ["curl-again", "curl-alone", "curl-external", "curl-renewed"];
  const arrived = [...ours, ...theirs, "page", "python-external", "python-two", "s-client"].sort();
  await stage.hop.waitForMails(arrived.length);
  assert.deepEqual(stage.hop.mails.map((mail) => subjectOf(mail.message)).sort(), arrived);
  const metrics = await stage.relay.metrics();
  const counted = /^mailboat_submission_client_certificates_total\{listener="servers",result="(\w+)"\} (\d+)/gm;
  assert.deepEqual([...metrics.matchAll(counted)].map(([, result, count]) => `${result} ${count}`).sort(), [
    `accepted ${lackingPostfix === false ? 5 : 4}`,
    "none 1",
    "untrusted 2",
  ]);
});

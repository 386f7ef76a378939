/**
 * Mail clients that others wrote, each sending one message as it does for its users: what it tells them is what is handed back. Python's
 * smtplib, swaks, msmtp, curl, Go's net/smtp and go-smtp, JavaMail, nodemailer.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { z } from "zod";
import { runCommand, type CommandResult } from "../gate/command.ts";
import { lackingJavaMail, javaMailArchives } from "./fromreaders.ts";
import { lackingGo, provideGoProgram, type GoProgram } from "./goprogram.ts";
import type { OpensslPair } from "./opensslclients.ts";
import { runPython } from "./python.ts";
import { repositoryRoot } from "./results.ts";
import { lacking } from "./tools.ts";

/** Whom they send to, and as whom. */
export interface Mailing {
  /** Of a listener with STARTTLS. */
  readonly port: number;
  /** File with the certificate that the relay shows for `localhost`. */
  readonly ca: string;
  /** For files of theirs. */
  readonly directory: string;
  readonly username: string;
  readonly password: string;
  /** In the place of the password, where the mechanism carries tokens. */
  readonly token: string;
  /** Whose token it is. */
  readonly account: string;
  /** Shown where the mechanism is EXTERNAL. */
  readonly pair: OpensslPair;
  /** One of the names in it. */
  readonly pairName: string;
}

export interface Letter {
  readonly mechanism: string;
  /** In envelope and header. */
  readonly from: string;
  readonly subject: string;
}

export interface MailClient {
  readonly name: string;
  /** False, or what is missing. */
  readonly lacking: string | false;
  readonly mechanisms: readonly string[];
  /** Code 0 is sent. */
  send(mailing: Mailing, letter: Letter): Promise<CommandResult>;
}

const to = "someone@example.org";
const folder = "test/support/mailclients";
const goClients: GoProgram = { name: "mailclients", folder, package: "." };

/** Go's clients. @throws When Go is missing or the build fails. */
export async function provideGoClients(say: (line: string) => void = () => {}): Promise<string> {
  return provideGoProgram(goClients, say);
}

function messageOf({ from, subject }: Letter): string {
  return `From: ${from}\r\nTo: ${to}\r\nSubject: ${subject}\r\n\r\nhello\r\n`;
}

function pairFor({ pair }: Mailing, { mechanism }: Letter): OpensslPair | undefined {
  return mechanism === "EXTERNAL" ? pair : undefined;
}

const byToken = ["OAUTHBEARER", "XOAUTH2"];

function secretFor({ token, password }: Mailing, { mechanism }: Letter): string {
  return byToken.includes(mechanism) ? token : password;
}

/** Path without ending of files that are this letter's alone. */
function placeOf({ directory }: Mailing, client: string, { mechanism, subject }: Letter): string {
  return join(directory, `${client}-${mechanism}-${subject.replaceAll(/\W/g, "-")}`);
}

const pythonScript = `
import json, smtplib, ssl, sys
order = json.load(sys.stdin)
try:
    client = smtplib.SMTP("localhost", order["port"], timeout=60)
    context = ssl.create_default_context(cafile=order["ca"])
    mechanism = order["mechanism"]
    if mechanism == "EXTERNAL":
        context.load_cert_chain(order["pair"]["certificate"], order["pair"]["privateKey"])
    client.starttls(context=context)
    client.ehlo()
    client.user, client.password = order["username"], order["password"]
    bearer = "auth=Bearer %s\\x01\\x01" % order["token"]
    # The second answer acknowledges what is wrong with a token.
    said = {
        "EXTERNAL": lambda challenge=None: "",
        "OAUTHBEARER": lambda challenge=None: "\\x01" if challenge else "n,,\\x01" + bearer,
        "XOAUTH2": lambda challenge=None: "" if challenge else "user=\\x01" + bearer,
    }
    client.auth(mechanism, said.get(mechanism) or getattr(client, "auth_" + mechanism.lower()))
    client.sendmail(order["from"], [order["to"]], order["message"])
    client.quit()
    answer = [0, "sent"]
except smtplib.SMTPException as error:
    answer = [1, str(error)]
json.dump(answer, sys.stdout)
`;

const smtplib: MailClient = {
  name: "smtplib",
  lacking: lacking("python3"),
  mechanisms: ["PLAIN", "LOGIN", "EXTERNAL", ...byToken],
  async send(mailing, letter) {
    const order = { ...mailing, ...letter, to, message: messageOf(letter) };
    const [code, output] = await runPython(pythonScript, order, z.tuple([z.number(), z.string()]));
    return { code, output };
  },
};

const swaks: MailClient = {
  name: "swaks",
  lacking: lacking("swaks"),
  mechanisms: ["PLAIN", "LOGIN"],
  async send(mailing, letter) {
    const file = `${placeOf(mailing, "swaks", letter)}.eml`;
    writeFileSync(file, messageOf(letter));
    const { port, username, password } = mailing;
    const server = ["--server", "localhost", "--port", String(port), "--tls", "--ehlo", "client.example.net"];
    const login = ["--auth", letter.mechanism, "--auth-user", username, "--auth-password", password];
    return runCommand("swaks", [...server, ...login, "--from", letter.from, "--to", to, "--data", file]);
  },
};

const msmtp: MailClient = {
  name: "msmtp",
  lacking: lacking("msmtp"),
  mechanisms: ["PLAIN", "LOGIN", "SCRAM-SHA-256", "EXTERNAL", ...byToken],
  async send(mailing, letter) {
    const place = placeOf(mailing, "msmtp", letter);
    const pair = pairFor(mailing, letter);
    const login =
      pair === undefined
        ? {
            user: byToken.includes(letter.mechanism) ? mailing.account : mailing.username,
            passwordeval: `"cat ${place}.secret"`,
          }
        : // Without a name this msmtp says AUTH EXTERNAL, and does not answer the challenge that follows.
          { user: mailing.pairName, tls_cert_file: pair.certificate, tls_key_file: pair.privateKey };
    writeFileSync(`${place}.secret`, secretFor(mailing, letter));
    writeFileSync(`${place}.eml`, messageOf(letter).replaceAll("\r\n", "\n"));
    const settings = {
      host: "localhost",
      port: mailing.port,
      from: letter.from,
      auth: letter.mechanism.toLowerCase(),
      tls: "on",
      tls_trust_file: mailing.ca,
      ...login,
    };
    const lines = ["account default", ...Object.entries(settings).map((setting) => setting.join(" ")), ""];
    writeFileSync(place, lines.join("\n"), { mode: 0o600 });
    return runCommand("bash", ["-c", `msmtp --file=${place} ${to} < ${place}.eml`]);
  },
};

const curl: MailClient = {
  name: "curl",
  lacking: lacking("curl"),
  mechanisms: ["PLAIN", "LOGIN", "EXTERNAL", ...byToken],
  async send(mailing, letter) {
    const file = `${placeOf(mailing, "curl", letter)}.eml`;
    writeFileSync(file, messageOf(letter));
    const { port, ca, username, password, token, account } = mailing;
    const isByToken = byToken.includes(letter.mechanism);
    // In --user the name would end at its first colon.
    const name = isByToken ? `${encodeURIComponent(account)}@` : "";
    const server = ["--url", `smtp://${name}localhost:${port}/client.example.net`, "--ssl-reqd", "--cacert", ca];
    const pair = pairFor(mailing, letter);
    const proof =
      pair === undefined
        ? ["--user", `${username}:${password}`]
        : ["--cert", pair.certificate, "--key", pair.privateKey];
    const bearer = isByToken ? ["--oauth2-bearer", token] : proof;
    const login = [...bearer, "--login-options", `AUTH=${letter.mechanism}`];
    const mail = ["--mail-from", letter.from, "--mail-rcpt", to, "--upload-file", file];
    // Without it the words of a reply stay with it, and its code alone is shown.
    return runCommand("curl", ["--silent", "--verbose", ...server, ...login, ...mail]);
  },
};

function goClient(library: string, mechanisms: readonly string[]): MailClient {
  return {
    name: library,
    lacking: lackingGo(),
    mechanisms,
    async send(mailing, letter) {
      const { port, ca, username, password } = mailing;
      const { mechanism, from } = letter;
      const file = `${placeOf(mailing, library.replace("/", "-"), letter)}.json`;
      const address = `localhost:${port}`;
      const message = messageOf(letter);
      const { token } = mailing;
      const name = byToken.includes(mechanism) ? mailing.account : username;
      const order = { library, mechanism, address, ca, username: name, password, token, from, to, message };
      writeFileSync(file, JSON.stringify({ ...order, ...pairFor(mailing, letter) }));
      return runCommand(await provideGoClients(), [file]);
    },
  };
}

const javaMail: MailClient = {
  name: "JavaMail",
  lacking: lackingJavaMail(),
  mechanisms: ["PLAIN", "LOGIN", "XOAUTH2"],
  async send(mailing, letter) {
    const { port, directory, username, account } = mailing;
    const { mechanism, from, subject } = letter;
    const path = ["-cp", [...javaMailArchives, directory].join(":")];
    if (!existsSync(join(directory, "Send.class"))) {
      const source = join(repositoryRoot, folder, "Send.java");
      const compiled = await runCommand("/usr/bin/javac", [...path, "-d", directory, source]);
      if (compiled.code !== 0) return compiled;
    }
    const login = [mechanism, String(port), mechanism === "XOAUTH2" ? account : username, secretFor(mailing, letter)];
    return runCommand("/usr/bin/java", ["-XX:TieredStopAtLevel=1", ...path, "Send", ...login, from, to, subject]);
  },
};

const nodemailer: MailClient = {
  name: "nodemailer",
  lacking: false,
  mechanisms: ["PLAIN", "LOGIN", "XOAUTH2"],
  async send({ port, ca, username, password, token, account }, { mechanism, from, subject }) {
    const transport = createTransport({
      host: "localhost",
      port,
      requireTLS: true,
      tls: { ca: readFileSync(ca) },
      auth:
        mechanism === "XOAUTH2"
          ? { type: "OAuth2", user: account, accessToken: token }
          : { user: username, pass: password },
      authMethod: mechanism,
    });
    try {
      await transport.sendMail({ from, to, subject, text: "hello\n" });
      return { code: 0, output: "sent" };
    } catch (error) {
      return { code: 1, output: String(error) };
    } finally {
      transport.close();
    }
  },
};

export const mailClients: readonly MailClient[] = [
  smtplib,
  swaks,
  msmtp,
  curl,
  goClient("net/smtp", ["PLAIN"]),
  goClient("go-smtp", ["PLAIN", "LOGIN", "EXTERNAL", "OAUTHBEARER"]),
  javaMail,
  nodemailer,
];

/** Clients that show who they are over the wire, by each mechanism that can carry what they have. */
import type { ClientPair } from "./clientcertificates.ts";
import { ScramClient } from "./scramclient.ts";
import { SmtpClient } from "./smtpclient.ts";

export type Proof =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "certificate"; readonly pair: ClientPair }
  /** Where the client is. */
  | { readonly kind: "network" };

export interface Entrance {
  readonly port: number;
  readonly implicitTls: boolean;
}

/** Up to where MAIL is next; `none` says no AUTH. Throws with the reply where the login is refused. */
export async function openAs(
  { port, implicitTls }: Entrance,
  proofs: readonly Proof[],
  mechanism: string,
): Promise<SmtpClient> {
  const pairs = proofs.flatMap((proof) => (proof.kind === "certificate" ? [proof.pair] : []));
  const client = await SmtpClient.connect(port, { implicitTls, certificate: pairs[0] });
  await client.reply();
  await client.command("EHLO client.example.net");
  if (!implicitTls) {
    await client.startTls();
    await client.command("EHLO client.example.net");
  }
  for (const proof of proofs) {
    const reply = await show(client, proof, mechanism);
    if (reply !== undefined && !reply.startsWith("235 ")) throw new Error(`${mechanism}: ${reply}`);
  }
  return client;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const textOf = (reply: string): string => Buffer.from(reply.slice(4), "base64").toString();

/** The last reply; undefined where nothing was said. */
async function show(client: SmtpClient, proof: Proof, mechanism: string): Promise<string | undefined> {
  switch (proof.kind) {
    case "network":
      return undefined;
    case "certificate":
      return mechanism === "EXTERNAL" ? client.command("AUTH EXTERNAL =") : undefined;
    case "token":
      return client.command(`AUTH ${mechanism} ${base64(tokenMessage(mechanism, proof.token))}`);
    case "password":
      return showPassword(client, proof, mechanism);
  }
}

/** RFC 7628 section 3.1; its forerunner; and in the place of a password. */
function tokenMessage(mechanism: string, token: string): string {
  switch (mechanism) {
    case "OAUTHBEARER":
      return `n,,\x01host=relay.example.net\x01port=465\x01auth=Bearer ${token}\x01\x01`;
    case "XOAUTH2":
      return `user=\x01auth=Bearer ${token}\x01\x01`;
    case "PLAIN":
      return `\0\0${token}`;
    default:
      throw new Error(`no token goes by ${mechanism}`);
  }
}

async function showPassword(
  client: SmtpClient,
  { username, password }: Proof & { readonly kind: "password" },
  mechanism: string,
): Promise<string> {
  switch (mechanism) {
    case "PLAIN":
      return client.command(`AUTH PLAIN ${base64(`\0${username}\0${password}`)}`);
    case "LOGIN":
      await client.command("AUTH LOGIN");
      await client.command(base64(username));
      return client.command(base64(password));
    case "SCRAM-SHA-256":
      return scram(client, mechanism, new ScramClient({ username, password }));
    case "SCRAM-SHA-256-PLUS": {
      // RFC 9266 section 2.
      const channel = client.secure?.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
      const binding = channel === undefined ? {} : { channel };
      return scram(client, mechanism, new ScramClient({ username, password, header: "p=tls-exporter,,", ...binding }));
    }
    default:
      throw new Error(`no mechanism ${mechanism}`);
  }
}

async function scram(client: SmtpClient, mechanism: string, by: ScramClient): Promise<string> {
  const asked = await client.command(`AUTH ${mechanism} ${base64(by.first())}`);
  if (!asked.startsWith("334 ")) return asked;
  const told = await client.command(base64(by.final(textOf(asked))));
  if (!told.startsWith("334 ")) return told;
  if (!by.believes(textOf(told))) throw new Error("the relay does not know the password");
  return client.command("");
}

/**
 * One transaction: the last reply, or the first that is no good. MAIL goes alone, because a session ends at so many refusals, and what
 * follows a MAIL that was refused would be refused as well.
 */
export async function transact(
  client: SmtpClient,
  [mail = "", ...others]: readonly string[],
  message: string,
): Promise<string> {
  const first = await client.command(mail);
  if (!first.startsWith("250 ")) return first;
  const asked = [...others, "DATA"].map(async () => client.reply());
  client.write([...others, "DATA", ""].join("\r\n"));
  const replies = await Promise.all(asked);
  const refused = replies.find((reply) => !/^(?:250|354) /.test(reply));
  if (replies.at(-1)?.startsWith("354 ") !== true) return refused ?? "";
  const last = client.reply();
  client.write(`${message}\r\n.\r\n`);
  const final = await last;
  return refused ?? final;
}

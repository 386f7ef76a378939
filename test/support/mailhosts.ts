/**
 * Next hops that we did not write: Postfix's smtp-sink, and a whole Postfix of its own that delivers into a maildir. Both run
 * from directories below the system's temporary one, because they drop root's rights.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { freePort, untilListening } from "./ports.ts";
import { Program } from "./program.ts";

export interface MailHost {
  readonly address: { readonly host: string; readonly port: number };
  /** The files of everything that has arrived completely, as the host keeps them. */
  files(): readonly string[];
  /** Everything that has arrived completely, from the first DKIM-Signature on, with CRLF line ends as on the wire. */
  arrivals(): readonly Buffer[];
}

function accountOf(name: string): { readonly uid: number; readonly gid: number } {
  const [, , uid, gid] = execFileSync("getent", ["passwd", name], { encoding: "utf8" }).split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "mailboat-host-"));
  chmodSync(directory, 0o755);
  return directory;
}

function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** What the host put on top goes, its line ends become those of the wire; `surplus` octets that it adds at the end go too. */
function asOnTheWire(kept: Buffer, surplus: number): Buffer | undefined {
  const text = kept.toString("latin1");
  const start = text.indexOf("\nDKIM-Signature:");
  if (start === -1) return undefined;
  const end = text.length - surplus;
  return Buffer.from(text.slice(start + 1, end).replaceAll("\n", "\r\n"), "latin1");
}

function filesIn(directory: string): readonly string[] {
  // Postfix makes a maildir with its first delivery.
  return (existsSync(directory) ? readdirSync(directory) : []).map((name) => join(directory, name));
}

function readArrivals(directory: string, surplus: number): readonly Buffer[] {
  return filesIn(directory).flatMap((path) => asOnTheWire(readFileSync(path), surplus) ?? []);
}

/** smtp-sink(1), which dumps each message to a file. It ends a dump with an empty line; before that it is incomplete. */
export async function startSmtpSink(t: TestContext, logDirectory: string): Promise<MailHost> {
  const directory = makeDirectory();
  const { uid, gid } = accountOf("postfix");
  chownSync(directory, uid, gid);
  const port = await freePort();
  const program = new Program({
    command: ["smtp-sink", "-u", "postfix", "-d", join(directory, "mail."), `127.0.0.1:${port}`, "100"],
    logFile: join(logDirectory, "smtp-sink.log"),
  });
  t.after(async () => {
    await program.kill("SIGKILL");
    removeDirectory(directory);
  });
  await untilListening(port);
  return {
    address: { host: "127.0.0.1", port },
    files: () => filesIn(directory),
    arrivals: () => readArrivals(directory, 1),
  };
}

const masterConfiguration = (port: number): string => `127.0.0.1:${port} inet n - n - - smtpd
cleanup   unix  n - n -    0 cleanup
qmgr      unix  n - n 300  1 qmgr
rewrite   unix  - - n -    - trivial-rewrite
bounce    unix  - - n -    0 bounce
defer     unix  - - n -    0 bounce
trace     unix  - - n -    0 bounce
proxymap  unix  - - n -    - proxymap
tlsmgr    unix  - - n 1000 1 tlsmgr
error     unix  - - n -    - error
retry     unix  - - n -    - error
virtual   unix  - n n -    - virtual
smtp      unix  - - n -    - smtp
anvil     unix  - - n -    1 anvil
postlog   unix-dgram n - n - 1 postlogd
`;

export interface PostfixWishes {
  /** Where it sends everything on instead, as the hosts between us and a mailbox do. */
  readonly relayTo?: MailHost["address"];
  /** Of main.cf, beside and in place of the usual ones. */
  readonly settings?: Readonly<Record<string, string>>;
}

/**
 * Postfix with every mail for example.org in one maildir, and every mail for example.com too: its own notices to the
 * senders of the tests. Nobody has the address `nobody@example.org`. Needs root, as its master does.
 */
export async function startPostfix(
  t: TestContext,
  logDirectory: string,
  { relayTo, settings: further = {} }: PostfixWishes = {},
): Promise<MailHost> {
  const directory = makeDirectory();
  const path = (name: string): string => join(directory, name);
  for (const name of ["etc", "queue", "data", "mail"]) mkdirSync(path(name));
  const { uid, gid } = accountOf("postfix");
  const mailbox = accountOf("nobody");
  const inbox = path("mail/inbox/new");
  chownSync(path("data"), uid, gid);
  chownSync(path("mail"), mailbox.uid, mailbox.gid);
  const port = await freePort();
  writeFileSync(path("etc/master.cf"), masterConfiguration(port));
  const settings = {
    compatibility_level: "3.6",
    queue_directory: path("queue"),
    data_directory: path("data"),
    maillog_file: join(directory, "mail.log"),
    maillog_file_prefixes: directory,
    myhostname: "postfix.example.org",
    mydestination: "",
    inet_interfaces: "127.0.0.1",
    inet_protocols: "ipv4",
    mynetworks: "127.0.0.0/8",
    virtual_mailbox_domains: relayTo === undefined ? "example.org, example.com" : "",
    relayhost: relayTo === undefined ? "" : `[${relayTo.host}]:${relayTo.port}`,
    virtual_mailbox_base: path("mail"),
    virtual_mailbox_maps: "regexp:{{!/^nobody@/ inbox/}}",
    virtual_uid_maps: `static:${mailbox.uid}`,
    virtual_gid_maps: `static:${mailbox.gid}`,
    message_size_limit: "0",
    virtual_mailbox_limit: "0",
    smtpd_tls_security_level: "none",
    ...further,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  writeFileSync(path("etc/main.cf"), lines.join(""));
  const program = new Program({
    command: ["postfix", "-c", path("etc"), "start-fg"],
    env: { MAIL_CONFIG: path("etc") },
    logFile: join(logDirectory, "postfix.log"),
  });
  t.after(async () => {
    execFileSync("postfix", ["-c", path("etc"), "stop"], {
      stdio: "ignore",
      env: { ...process.env, MAIL_CONFIG: path("etc") },
    });
    await program.exited;
    removeDirectory(directory);
  });
  await untilListening(port);
  return {
    address: { host: "127.0.0.1", port },
    files: () => filesIn(inbox),
    arrivals: () => readArrivals(inbox, 0),
  };
}

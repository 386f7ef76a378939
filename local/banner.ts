/** The first thing a person reads: what runs where, how to send a message, where things lie. Pure. */
import type { Paint } from "./mailline.ts";
import type { Trial } from "./running.ts";

export interface ListenerRow {
  readonly pod: string;
  readonly listener: string;
  readonly address: string;
  readonly tls: string;
  readonly login: string;
}

export interface BannerView {
  readonly manifests: string;
  readonly state: string;
  readonly rows: readonly ListenerRow[];
  readonly captureAddress: string;
  /** Address of the page. */
  readonly page: string;
  readonly trial: Trial | undefined;
  /** What is no terminal is kept: a log, a journal, a build's record. */
  readonly showsPassword: boolean;
}

const recipient = "you@example.org";

export function banner(view: BannerView, paint: Paint): string {
  const lines = [
    paint("strong", `Mailboat runs the manifests of ${view.manifests}`),
    "",
    `Each message, its hops and its signatures: ${paint("strong", view.page)}`,
    "",
    ...table(["RELAY", "LISTENER", "ADDRESS", "TLS", "LOGIN"], view.rows.map(cells), paint),
    "",
    ...(view.trial === undefined
      ? [
          "No SenderDomain has a user with a password here, so there is no line to try: add a kubernetes.io/basic-auth Secret.",
        ]
      : trialLines(view.trial, view.showsPassword, paint)),
    "",
    ...table(
      ["WHAT", "WHERE"],
      [
        ["captured messages, with the verdict on their signatures", `${view.state}/captured`],
        ["the capture mail exchanger (host capture.mailboat.localhost)", view.captureAddress],
        ["spools", `${view.state}/pods/*/spool`],
        ["status of the manifests, with DNS records to publish", `${view.state}/status`],
        ["certificate authority for clients", `${view.state}/ca.crt`],
      ],
      paint,
    ),
    "",
    "A changed manifest takes effect at once. Ctrl-C stops; nothing accepted is lost, the next start goes on with it.",
    "",
  ];
  return lines.map((line) => line.trimEnd()).join("\n") + "\n";
}

function cells(row: ListenerRow): readonly string[] {
  return [row.pod, row.listener, row.address, row.tls, row.login];
}

function trialLines(trial: Trial, showsPassword: boolean, paint: Paint): readonly string[] {
  const { username, password, source } = trial.login;
  const secret = showsPassword ? shown(username, password) : kept(username);
  const send = `Send a message as ${paint("strong", username)}`;
  return [
    showsPassword
      ? `${send} with password ${paint("strong", password)}:`
      : `${send}; PASSWORD stands for ${source}, which is not shown where no terminal is:`,
    "",
    `  ${swaksLine(trial, secret)}`,
    "",
    `  ${curlLine(trial, secret)}`,
    "",
    `  ${pythonLine(trial, secret)}`,
  ];
}

/** The password as each line has it. */
interface SpelledPassword {
  readonly alone: string;
  readonly withUser: string;
  readonly python: string;
}

function shown(username: string, password: string): SpelledPassword {
  return { alone: quote(password), withUser: quote(`${username}:${password}`), python: JSON.stringify(password) };
}

function kept(username: string): SpelledPassword {
  const variable = '"$PASSWORD"';
  return { alone: variable, withUser: `${quote(`${username}:`)}${variable}`, python: 'os.environ["PASSWORD"]' };
}

function swaksLine(trial: Trial, password: SpelledPassword): string {
  const { host, port, login, from } = trial;
  const tls = trial.tlsMode === "Implicit" ? "--tls-on-connect" : "--tls";
  return (
    `swaks --server ${bracketed(host)}:${port} ${tls} --auth PLAIN --auth-user ${quote(login.username)} ` +
    `--auth-password ${password.alone} --from ${quote(from)} --to ${recipient}`
  );
}

function curlLine(trial: Trial, password: SpelledPassword): string {
  const { host, port, from } = trial;
  const scheme = trial.tlsMode === "Implicit" ? "smtps" : "smtp";
  const message = quote(`From: ${from}\\nTo: ${recipient}\\nSubject: Hello from curl\\n\\nHello.\\n`);
  return (
    `printf ${message} | curl --silent --show-error --ssl-reqd --insecure --crlf ${scheme}://${bracketed(host)}:${port} ` +
    `--user ${password.withUser} --mail-from ${quote(from)} --mail-rcpt ${recipient} --upload-file -`
  );
}

function pythonLine(trial: Trial, password: SpelledPassword): string {
  const { host, port, login, from } = trial;
  const text = (value: string): string => JSON.stringify(value);
  const open =
    trial.tlsMode === "Implicit"
      ? `s = smtplib.SMTP_SSL(${text(host)}, ${port})`
      : `s = smtplib.SMTP(${text(host)}, ${port}); s.starttls()`;
  const message = text(`From: ${from}\r\nTo: ${recipient}\r\nSubject: Hello from Python\r\n\r\nHello.\r\n`);
  return `python3 -c ${quote(
    `import os, smtplib; ${open}; s.login(${text(login.username)}, ${password.python}); ` +
      `s.sendmail(${text(from)}, [${text(recipient)}], ${message}); s.quit()`,
  )}`;
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[-A-Za-z0-9_.@:/]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function table(head: readonly string[], rows: readonly (readonly string[])[], paint: Paint): readonly string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`;
  return [paint("quiet", line(head)), ...rows.map(line)];
}

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
      : trialLines(view.trial, paint)),
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

function trialLines(trial: Trial, paint: Paint): readonly string[] {
  const { login } = trial;
  return [
    `Send a message as ${paint("strong", login.username)} with password ${paint("strong", login.password)}:`,
    "",
    `  ${swaksLine(trial)}`,
    "",
    `  ${curlLine(trial)}`,
    "",
    `  ${pythonLine(trial)}`,
  ];
}

function swaksLine(trial: Trial): string {
  const { host, port, login, from } = trial;
  const tls = trial.tlsMode === "Implicit" ? "--tls-on-connect" : "--tls";
  return (
    `swaks --server ${bracketed(host)}:${port} ${tls} --auth PLAIN --auth-user ${quote(login.username)} ` +
    `--auth-password ${quote(login.password)} --from ${quote(from)} --to ${recipient}`
  );
}

function curlLine(trial: Trial): string {
  const { host, port, login, from } = trial;
  const scheme = trial.tlsMode === "Implicit" ? "smtps" : "smtp";
  const message = quote(`From: ${from}\\nTo: ${recipient}\\nSubject: Hello from curl\\n\\nHello.\\n`);
  return (
    `printf ${message} | curl --silent --show-error --ssl-reqd --insecure --crlf ${scheme}://${bracketed(host)}:${port} ` +
    `--user ${quote(`${login.username}:${login.password}`)} --mail-from ${quote(from)} --mail-rcpt ${recipient} --upload-file -`
  );
}

function pythonLine(trial: Trial): string {
  const { host, port, login, from } = trial;
  const text = (value: string): string => JSON.stringify(value);
  const open =
    trial.tlsMode === "Implicit"
      ? `s = smtplib.SMTP_SSL(${text(host)}, ${port})`
      : `s = smtplib.SMTP(${text(host)}, ${port}); s.starttls()`;
  const message = text(`From: ${from}\r\nTo: ${recipient}\r\nSubject: Hello from Python\r\n\r\nHello.\r\n`);
  return `python3 -c ${quote(
    `import smtplib; ${open}; s.login(${text(login.username)}, ${text(login.password)}); ` +
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

/** The first thing a person reads: what runs where, and a line to send a message with; fifteen lines at most. Pure. */
import type { OpenWay, Trial } from "../running.ts";
import type { Paint } from "./paint.ts";

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
  /** Address of the page. */
  readonly page: string;
  /** How to send without a login. */
  readonly openWay: OpenWay | undefined;
  readonly trial: Trial | undefined;
  /** What is no terminal is kept: a log, a journal, a build's record. */
  readonly showsPassword: boolean;
}

const recipient = "you@example.org";
const mostRows = 5;

export function banner(view: BannerView, paint: Paint): string {
  const { manifests, state, page, openWay, trial } = view;
  const lines = [
    `Mailboat runs ${manifests}; ${paint("strong", page)} shows each message`,
    "",
    ...rowLines(view),
    `  mail: ${state}/captured; keys, spools and status of the manifests beside it`,
    "",
    ...(openWay === undefined
      ? []
      : ["Send a message, no login from this machine:", `  ${curlLine({ ...openWay, tlsMode: "None" }, "")}`]),
    ...(trial === undefined ? [] : trialLines(trial, view, paint)),
    ...(openWay === undefined && trial === undefined ? [nobody] : []),
    "",
    "`make trace ID=...` tells a message's way, `make spool` what waits. Ctrl-C stops; nothing accepted is lost.",
  ];
  return `${lines.join("\n")}\n`;
}

const nobody =
  "Nobody may send here yet: add a kubernetes.io/basic-auth Secret that a SenderDomain's senders select, or trustedNetworks.";

/** As a table, of which the last lines give way to how many more there are. */
function rowLines({ rows, state }: BannerView): readonly string[] {
  const shown = rows.length > mostRows ? rows.slice(0, mostRows - 1) : rows;
  const pods = new Set(rows.map(({ pod }) => pod));
  const cells = shown.map(({ pod, listener, address, tls, login }) => [
    pods.size > 1 ? `${pod} ${listener}` : listener,
    address,
    tls,
    login,
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(0, ...cells.map((row) => (row[column] ?? "").length)));
  const lines = cells.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
  const more = rows.length - shown.length;
  return more > 0 ? [...lines, `  and ${more} more listeners: ${state}/ports.json`] : lines;
}

function trialLines(trial: Trial, { showsPassword, openWay }: BannerView, paint: Paint): readonly string[] {
  const { username, password, source } = trial.login;
  const send = `${openWay === undefined ? "Send a message" : "Or"} as ${paint("strong", username)}`;
  const secret = showsPassword ? quote(`${username}:${password}`) : `${quote(`${username}:`)}"$PASSWORD"`;
  return [
    showsPassword
      ? `${send} with password ${paint("strong", password)}:`
      : `${send}; PASSWORD stands for ${source}, which is not shown where no terminal is:`,
    `  ${curlLine(trial, `--ssl-reqd --insecure --user ${secret} `)}`,
  ];
}

interface Way {
  readonly host: string;
  readonly port: number;
  readonly tlsMode: string;
  readonly from: string;
}

function curlLine({ host, port, tlsMode, from }: Way, login: string): string {
  const scheme = tlsMode === "Implicit" ? "smtps" : "smtp";
  const message = quote(`From: ${from}\\nTo: ${recipient}\\nSubject: Hello\\n\\nHello.\\n`);
  return (
    `printf ${message} | curl -sS --crlf ${scheme}://${bracketed(host)}:${port} ${login}` +
    `--mail-from ${quote(from)} --mail-rcpt ${recipient} -T -`
  );
}

/** For a POSIX shell. */
function quote(text: string): string {
  return /^[-A-Za-z0-9_.@:/]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** `openssl s_client` as a client of SMTP: a TLS library that is not Node's, and that shows what certificate it is given. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { OpensslPair } from "./opensslclients.ts";

export interface SClientWish {
  readonly port: number;
  /** Path of PEM; the server's name is not looked at. */
  readonly ca: string;
  readonly pair: OpensslPair;
}

/** Says each line when the one before it was answered; gives the last line of each answer. Ends when the server does. */
export async function sClient(wish: SClientWish, lines: readonly string[]): Promise<readonly string[]> {
  const own = ["-cert", wish.pair.certificate, "-cert_chain", wish.pair.certificate, "-key", wish.pair.privateKey];
  const server = [
    "-connect",
    `127.0.0.1:${wish.port}`,
    "-starttls",
    "smtp",
    "-CAfile",
    wish.ca,
    "-verify_return_error",
  ];
  const child = spawn("openssl", ["s_client", "-quiet", "-crlf", ...server, ...own], {
    stdio: ["pipe", "pipe", "pipe"],
    timeout: 30_000,
  });
  const answers: string[] = [];
  const left = [...lines];
  const goOn = (): void => {
    const next = left.shift();
    if (next === undefined) child.stdin.end();
    else child.stdin.write(`${next}\n`);
  };
  // It has said EHLO and STARTTLS by itself, and reads this when TLS is there.
  goOn();
  for await (const line of createInterface({ input: child.stdout })) {
    if (!/^\d{3} /.test(line) && line !== "334") continue;
    answers.push(line);
    goOn();
  }
  return answers;
}

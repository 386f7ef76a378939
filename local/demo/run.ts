/**
 * The demonstration: sends a handful of messages to the local mode that runs, or to one of its own, and tells what
 * becomes of each and where to look.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createTransport } from "nodemailer";
import { z } from "zod";
import { printable } from "../../runtime/terminal.ts";
import { type LocalRun, runLocal } from "../run.ts";
import { findRunning, type RunningLocal, type Trial } from "../running.ts";
import { wordsOf } from "../terminal/trouble.ts";
import { type DemoMessage, demoMessages } from "./messages.ts";

const pictureFile = new URL("boat.png", import.meta.url);
/** Between two messages, so that a person can follow. */
const betweenMs = 400;
const lookMs = 150;
/** Two retries of the shipped manifests take seven seconds; other manifests may be more patient. */
const patienceMs = 60_000;

interface Sent {
  readonly message: DemoMessage;
  readonly id: string;
}

const seen = z.object({
  standing: z.string(),
  attempts: z.number(),
  reply: z.string().optional(),
  dkim: z.string().optional(),
});

type Seen = z.infer<typeof seen>;

/** Resolves to the exit code: 0 when each message ended as it should. A local mode of its own stays until it is stopped. */
export async function runDemo(run: LocalRun): Promise<number> {
  const running = await findRunning(run.settings.state);
  if (running !== undefined) return demonstrate(run, running);
  let code = 1;
  const say = sayer(run);
  await runLocal({
    ...run,
    onReady: (started) => {
      demonstrate(run, started)
        .then((result) => {
          code = result;
          say("Local mode goes on for you to look around. Ctrl-C stops it.");
        })
        .catch((error: unknown) => say(`the demonstration failed: ${wordsOf(error, run.settings.state)}`));
    },
  });
  return code;
}

async function demonstrate(run: LocalRun, { page, trial }: RunningLocal): Promise<number> {
  const say = sayer(run);
  if (trial === undefined) {
    say("There is no user with a password among these manifests, so nothing can be sent: run it on examples/local.");
    return 1;
  }
  const messages = demoMessages(await readFile(pictureFile));
  say(`\nSending ${messages.length} messages as ${trial.login.username}. Watch them at ${page}\n`);
  const endings: Promise<boolean>[] = [];
  for (const message of messages) {
    const sent = await send(message, trial, run);
    say(`sent: "${message.subject}" to ${message.to.join(", ")}\n      ${message.shows}`);
    const ending = follow(sent, page, run);
    // Awaited below with all others: until then a failure must not end the process.
    ending.catch(() => undefined);
    endings.push(ending);
    await pause(betweenMs);
  }
  const isAsExpected = (await Promise.all(endings)).every(Boolean);
  say(
    isAsExpected
      ? `\nAll as it should be. Each message, its hops and the notices to the sender: ${page}`
      : `\nNot everything ended as it should: ${page} tells what happened`,
  );
  return isAsExpected ? 0 : 1;
}

async function send(message: DemoMessage, trial: Trial, { settings }: LocalRun): Promise<Sent> {
  const { host, port, login, from, tlsMode } = trial;
  const transport = createTransport({
    host,
    port,
    secure: tlsMode === "Implicit",
    requireTLS: true,
    auth: { user: login.username, pass: login.password },
    tls: { ca: await readFile(join(settings.state, "ca.crt"), "utf8") },
  });
  const address = `shop@${from.slice(from.indexOf("@") + 1)}`;
  try {
    const { response } = await transport.sendMail({
      from: { name: "The Chandlery", address },
      to: [...message.to],
      subject: message.subject,
      text: message.text,
      ...(message.html === undefined ? {} : { html: message.html }),
      attachments: [...(message.attachments ?? [])],
    });
    return { message, id: /accepted as ([0-9a-z]+)/.exec(response)?.[1] ?? "" };
  } finally {
    transport.close();
  }
}

/** Says each change of how the message stands, until the end. */
async function follow({ message, id }: Sent, page: string, run: LocalRun): Promise<boolean> {
  const say = sayer(run);
  const until = run.now() + patienceMs;
  let before = "";
  while (run.now() < until && !run.stopping.aborted) {
    const now = await look(id, page);
    const text = now === undefined ? "" : standingText(now);
    if (now !== undefined && text !== before) {
      before = text;
      if (now.standing !== "waiting") say(`"${message.subject}": ${printable(text)}`);
      if (now.standing === message.ends) return true;
    }
    await pause(lookMs);
  }
  return false;
}

/** Undefined until the page knows of it. */
async function look(id: string, page: string): Promise<Seen | undefined> {
  const response = await fetch(new URL(`/api/messages/${id}`, page));
  return response.ok ? seen.parse(await response.json()) : undefined;
}

function standingText({ standing, attempts, reply, dkim }: Seen): string {
  return [
    attempts > 1 ? `${standing} (attempt ${attempts})` : standing,
    reply === undefined ? "" : `, ${reply}`,
    dkim === undefined ? "" : `, DKIM ${dkim}`,
  ].join("");
}

function sayer({ terminal }: LocalRun): (text: string) => void {
  return (text) => terminal.write(`${text}\n`);
}

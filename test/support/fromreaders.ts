/**
 * Other people's parsers of address fields, each in a process of its own that reads batch after batch: Python's two, Go's
 * net/mail, JavaMail; and in this process postal-mime and nodemailer's. Each says which mailboxes it finds in the From fields of a
 * header; a parser that fails finds none.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import addressparser from "nodemailer/lib/addressparser";
import PostalMime from "postal-mime";
import { z } from "zod";
import { provideGoProgram, type GoProgram } from "./goprogram.ts";
import { repositoryRoot } from "./results.ts";

export interface FromReader {
  readonly name: string;
  /** The addresses that are found in each of the headers, in their order. */
  read(headers: readonly Buffer[]): Promise<readonly (readonly string[])[]>;
}

type Addresses = readonly (readonly string[])[];

const goReader: GoProgram = { name: "fromreader", folder: "test/support/fromreaders", package: "." };
const folder = join(repositoryRoot, "test/support/fromreaders");
export const javaMailArchives: readonly string[] = ["jakarta-mail", "jakarta-activation"].map(
  (name) => `/usr/share/java/${name}.jar`,
);
const java = "/usr/bin/java";

/** For `test(name, { skip })` of what JavaMail reads: false, or what is missing. */
export function lackingJavaMail(): string | false {
  const missing = [java, ...javaMailArchives].filter((path) => !existsSync(path));
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

/** JavaMail's two ways to read. */
export function startJavaMail(t: TestContext): readonly FromReader[] {
  const command = [java, "-cp", javaMailArchives.join(":"), join(folder, "FromReader.java")];
  return javaReaders(new Conversation(t, command));
}

/** Go's reader. @throws When Go is missing or the build fails. */
export async function provideGoReader(say: (line: string) => void = () => {}): Promise<string> {
  return provideGoProgram(goReader, say);
}

/** All others. */
export async function startFromReaders(t: TestContext): Promise<readonly FromReader[]> {
  const python = new Conversation(t, ["/usr/bin/python3", join(folder, "fromreader.py")]);
  const go = new Conversation(t, [await provideGoReader()]);
  return [
    ...jsonReaders(python, ["Python's getaddresses", "Python's policy.default"]),
    ...jsonReaders(go, ["Go's net/mail"]),
    { name: "postal-mime", read: (headers: readonly Buffer[]) => Promise.all(headers.map(readWithPostalMime)) },
    {
      name: "nodemailer",
      read: async (headers: readonly Buffer[]) => Promise.resolve(headers.map(readWithNodemailer)),
    },
  ];
}

/** One line out, one line in. */
class Conversation {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor(t: TestContext, [command = "", ...args]: readonly string[]) {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    t.after(() => child.kill("SIGKILL"));
  }

  async ask(question: string): Promise<string> {
    this.#child.stdin?.write(question);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error(`${this.#child.spawnfile} went away`);
    return answer.value;
  }
}

const answerShape = z.array(z.array(z.array(z.string())));

/** Readers that share a process ask it once for each batch. */
function sharing(names: readonly string[], ask: (headers: readonly Buffer[]) => Promise<readonly Addresses[]>) {
  let asked: { readonly headers: readonly Buffer[]; readonly answer: Promise<readonly Addresses[]> } | undefined;
  return names.map((name, index): FromReader => ({
    name,
    async read(headers) {
      if (asked?.headers !== headers) asked = { headers, answer: ask(headers) };
      return (await asked.answer)[index] ?? [];
    },
  }));
}

function jsonReaders(conversation: Conversation, names: readonly string[]): readonly FromReader[] {
  return sharing(names, async (headers) => {
    const question = JSON.stringify(headers.map((header) => header.toString("base64")));
    return answerShape.parse(JSON.parse(await conversation.ask(`${question}\n`)));
  });
}

function javaReaders(conversation: Conversation): readonly FromReader[] {
  return sharing(["JavaMail, strict", "JavaMail, lenient"], async (headers) => {
    const question = headers.map((header) => `${header.toString("base64")}\n`).join("");
    const answers = (await conversation.ask(`${question}\n`)).split(";").slice(0, -1);
    const found = answers.map((answer) => answer.split(",").map(decodeAddresses));
    return [0, 1].map((index) => found.map((each) => each[index] ?? []));
  });
}

function decodeAddresses(text: string): readonly string[] {
  return text
    .split(" ")
    .filter((each) => each !== "")
    .map((each) => Buffer.from(each, "base64").toString("utf8"));
}

async function readWithPostalMime(header: Buffer): Promise<readonly string[]> {
  try {
    const { from } = await PostalMime.parse(header);
    if (from === undefined) return [];
    return from.group === undefined ? [from.address] : from.group.map((each) => each.address);
  } catch {
    return [];
  }
}

function readWithNodemailer(header: Buffer): readonly string[] {
  try {
    const [field = ""] = header.toString("utf8").split(/\r\n(?![ \t])/);
    const value = field.slice(field.indexOf(":") + 1).replace(/\r\n(?=[ \t])/g, "");
    return addressparser(value, { flatten: true }).map((each) => each.address);
  } catch {
    return [];
  }
}

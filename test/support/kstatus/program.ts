/** kstatus itself, as Flux and Helm have it in them, over objects of ours: a small Go program around the library. */
import { execFile } from "node:child_process";
import { type GoProgram, lackingGo, provideGoProgram } from "../goprogram.ts";

const program: GoProgram = { name: "kstatus", folder: "test/support/kstatus", package: "." };

export interface Verdict {
  readonly status: "Current" | "InProgress" | "Failed" | "Terminating" | "NotFound" | "Unknown";
  readonly message: string;
}

/** For `test(name, { skip })`: false, or what is missing. */
export function lackingKstatus(): string | false {
  return lackingGo();
}

export async function provideKstatus(say: (line: string) => void = () => {}): Promise<string> {
  return provideGoProgram(program, say);
}

/** A verdict for each object, in their order. */
export async function kstatusOf(objects: readonly object[]): Promise<readonly Verdict[]> {
  const path = await provideKstatus();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(path, { maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new Error(`kstatus: ${stderr}`, { cause: error }));
  });
  child.stdin?.end(objects.map((object) => `${JSON.stringify(object)}\n`).join(""));
  return (await promise)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Verdict);
}

/** The relay program's verbs that look: run as a person would, beside a relay of the test's or on a spool without one. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import type { RelayProgram } from "./relay.ts";
import { repositoryRoot } from "./results.ts";

export interface Inspected {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** The environment that a person has with `kubectl exec`: the relay's own. */
export function besideRelay(relay: RelayProgram): Readonly<Record<string, string>> {
  return {
    MAILBOAT_SPOOL_DIR: join(relay.directory, "spool"),
    MAILBOAT_LISTEN_HOST: "127.0.0.1",
    MAILBOAT_PORTS: JSON.stringify({ http: relay.port("http") }),
  };
}

export async function inspectWith(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<Inspected> {
  const main = join(repositoryRoot, "relay/main.ts");
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 64 * 2 ** 20, timeout: 60_000 };
    execFile(process.execPath, [main, ...args], options, (error, out, err) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
      resolve({ status, out, err });
    });
  });
}

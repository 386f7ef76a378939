/** OpenDKIM's verdict on a message file, with keys from a file instead of DNS (its test mode, opendkim(8) -t). */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** The verdict of each signature by its selector: `pass`, `fail` or another word of RFC 8601 section 2.7.1. */
export function verifyWithOpendkim(
  directory: string,
  keys: Readonly<Record<string, string>>,
  path: string,
): Readonly<Record<string, string>> {
  const keyFile = join(directory, "opendkim.keys");
  const configuration = join(directory, "opendkim.conf");
  writeFileSync(
    keyFile,
    Object.entries(keys)
      .map(([name, record]) => `${name} ${record}\n`)
      .join(""),
  );
  writeFileSync(configuration, `Mode v\nTestPublicKeys ${keyFile}\nSyslog no\n`);
  const result = spawnSync("opendkim", ["-x", configuration, "-t", path, "-vvv"], { encoding: "utf8" });
  if (result.error !== undefined) throw result.error;
  const verdicts = `${result.stdout}${result.stderr}`.matchAll(/dkim=(\w+)[^;']*?header\.s=(\S+)/g);
  return Object.fromEntries([...verdicts].map((match) => [match[2] ?? "", match[1] ?? ""]));
}

/** Which of other people's programs are here. A test that needs one that is not is skipped by name. */
import { existsSync } from "node:fs";

const places = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** For `test(name, { skip: lacking("strace") })`: false, or what is missing. */
export function lacking(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => !places.some((place) => existsSync(`${place}/${program}`)));
  return missing.length === 0 ? false : `not installed: ${missing.join(", ")}`;
}

export function needsRoot(): string | false {
  return process.getuid?.() === 0 ? false : "needs root";
}

/**
 * What the machine refuses, in words that say what to do: a folder that cannot be written, a file in its place, a disk that is full,
 * a port or an address that is not to be had. Pure. What is none of these is a fault of ours, and keeps its stack.
 */

/** Something of this machine stands in the way; the message is for people. */
export class TroubleError extends Error {
  override readonly name = "TroubleError";
}

const elsewhere = "name another folder with --state (STATE=...)";

/** By code of the system (errno(3)): what it means for `path`, and what to do. */
const ofSystem: Readonly<Record<string, (path: string) => string>> = {
  ENOSPC: (path) => `the disk of ${path} is full: make room, or ${elsewhere}`,
  EDQUOT: (path) => `the quota of the disk of ${path} is used up: make room, or ${elsewhere}`,
  EACCES: (path) => `${path} may not be read or written by this user: change its owner or mode, or ${elsewhere}`,
  EPERM: (path) => `${path} may not be changed by this user: change its owner, or ${elsewhere}`,
  EROFS: (path) => `${path} is on a disk that is read-only: ${elsewhere}`,
  ENOTDIR: (path) =>
    `${path} cannot be a folder, because a file has that name or one above it: remove it, or ${elsewhere}`,
  EEXIST: (path) => `${path} cannot be a folder, because a file has that name: remove it, or ${elsewhere}`,
  EISDIR: (path) => `${path} is a folder where a file is needed: remove it, or ${elsewhere}`,
  ENAMETOOLONG: (path) => `${path} is too long a name: ${elsewhere}`,
  ELOOP: (path) => `${path} leads in a circle of links: ${elsewhere}`,
  EIO: (path) => `the disk of ${path} failed: look at the system's log, or ${elsewhere}`,
  EMFILE: () => "this process may open no more files: raise the limit (ulimit -n), and start again",
  ENFILE: () => "this machine has no more open files to give: close some programs, and start again",
  ENOMEM: () => "this machine has no memory left: close some programs, and start again",
  EAGAIN: () => "this user may start no more processes: close some programs, or raise the limit (ulimit -u)",
};

/** Primary result codes of sqlite.org/rescode.html. */
const ofDatabase: Readonly<Record<number, string>> = { 8: "EROFS", 10: "EIO", 13: "ENOSPC", 14: "EACCES" };

/** The sentence, or undefined for what is none of the machine's. `state` is blamed where the system names no path. */
export function troubleOf(error: unknown, state: string): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path, address, port, errcode } = factsOf(error);
  if (code === "EADDRINUSE")
    return `port ${port ?? "?"} was taken by another program just now: start again, it is passed over`;
  if (code === "EADDRNOTAVAIL" || code === "ENODEV")
    return `${address ?? "the address"} is no address of this machine: name one with --host (LISTEN_HOST=...), or leave it out`;
  const known = errcode === undefined ? code : ofDatabase[errcode % 256];
  return known === undefined ? undefined : ofSystem[known]?.(path ?? state);
}

interface Facts {
  readonly code: string | undefined;
  readonly path: string | undefined;
  readonly address: string | undefined;
  readonly port: string | undefined;
  readonly errcode: number | undefined;
}

/** What Node adds to the errors of the system. */
function factsOf(error: Error): Facts {
  const fields = new Map<string, unknown>(Object.entries(error));
  const text = (name: string): string | undefined => {
    const value = fields.get(name);
    return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
  };
  const errcode = fields.get("errcode");
  return {
    code: text("code"),
    path: text("path"),
    address: text("address"),
    port: text("port"),
    errcode: typeof errcode === "number" ? errcode : undefined,
  };
}

/** For a line among others: the sentence, or the message alone. A stack is for who mends it, and is in no line. */
export function wordsOf(error: unknown, state: string): string {
  return troubleOf(error, state) ?? (error instanceof Error ? error.message : String(error));
}

/** What goes up to the end of the program: told as a sentence where it is the machine's. */
export function asTrouble(error: unknown, state: string): Error {
  const words = troubleOf(error, state);
  if (words !== undefined) return new TroubleError(words, { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}

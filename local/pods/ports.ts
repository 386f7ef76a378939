/**
 * Port numbers of local mode: the wished one when it is free, otherwise one that the system chooses; kept in a file, so
 * that a client's settings survive a restart. A port that was ours a moment ago is waited for, because a predecessor
 * that was killed may still be closing it.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { UsageError } from "../../runtime/commandline.ts";
import { writeFileAtomically } from "../files.ts";

const portFile = z.record(z.string(), z.int().min(1).max(65535));

export interface PortWish {
  /** What the port is for, for example `mail.outbound-0/submission`. */
  readonly use: string;
  /** The port to take when it is free and none is on file. */
  readonly preferred?: number;
}

export interface PortChoice {
  readonly port: number;
  /** The port that was wanted and was taken by somebody else. */
  readonly taken?: number;
}

export interface PortBook {
  /** Asked again before each start of whoever uses the port: meanwhile it may have been taken. */
  choose(wish: PortWish): Promise<PortChoice>;
}

export interface PortBookSettings {
  readonly file: string;
  readonly host: string;
  /** How long after opening a port on file may stay taken before another one is chosen. */
  readonly waitMs: number;
  readonly now: () => number;
}

export async function openPortBook(settings: PortBookSettings): Promise<PortBook> {
  const known = new Map(Object.entries(await readPorts(settings.file)));
  /** Use by port, of this run. */
  const given = new Map<number, string>();
  const patientUntil = settings.now() + settings.waitMs;
  const isUsable = async (port: number, use: string): Promise<boolean> => {
    const holder = given.get(port);
    return (holder === undefined || holder === use) && (await isFree(settings.host, port));
  };
  const choose = async (wish: PortWish): Promise<PortChoice> => {
    const kept = known.get(wish.use);
    while (kept !== undefined) {
      if (await isUsable(kept, wish.use)) return { port: kept };
      if (settings.now() >= patientUntil) break;
      await pause(100);
    }
    const { preferred } = wish;
    if (preferred !== undefined && (await isUsable(preferred, wish.use))) return { port: preferred };
    const taken = kept ?? preferred;
    return { port: await freePort(settings.host, given), ...(taken === undefined ? {} : { taken }) };
  };
  return {
    async choose(wish) {
      const choice = await choose(wish);
      given.set(choice.port, wish.use);
      known.set(wish.use, choice.port);
      await writeFileAtomically(settings.file, JSON.stringify(Object.fromEntries(known), undefined, 2) + "\n");
      return choice;
    },
  };
}

async function readPorts(file: string): Promise<Record<string, number>> {
  const text = await readFile(file, "utf8").catch(() => "{}");
  try {
    return portFile.parse(JSON.parse(text));
  } catch {
    // Only comfort is lost: other ports are chosen and printed.
    return {};
  }
}

export async function isFree(host: string, port: number): Promise<boolean> {
  return (await bind(host, port)) !== undefined;
}

async function freePort(host: string, except: ReadonlyMap<number, string>): Promise<number> {
  for (;;) {
    const port = await bind(host, 0);
    if (port === undefined)
      throw new UsageError(
        `${host} is no address of this machine: name one with --host (LISTEN_HOST=...), or leave it out`,
      );
    if (!except.has(port)) return port;
  }
}

/** Binds and lets go again; undefined when the port is taken. */
function bind(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : undefined));
    });
  });
}

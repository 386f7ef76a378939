/**
 * A client that means ill, as a program of its own: `flooder.ts KIND PORT ADDRESS...` keeps at it from these addresses of this
 * machine until it is killed. Each address has what one attacker would use: a few connections at once.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

const [kind = "", port = "", ...addresses] = process.argv.slice(2);

function open(localAddress: string): Socket {
  const socket = connect({ port: Number(port), host: "127.0.0.1", localAddress });
  socket.on("error", () => socket.destroy());
  return socket;
}

/** Also when it breaks. */
const closed = async (socket: Socket): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", () => resolve());
  if (!socket.closed) await promise;
};
const manyRefused = `EHLO flood.example\r\n${"MAIL FROM:<x@a.example>\r\n".repeat(1000)}`;
const manyHarmless = `EHLO flood.example\r\n${"NOOP\r\nRSET\r\n".repeat(500)}`;
const wrongLogin = `AUTH PLAIN ${Buffer.from("\0app\0wrong").toString("base64")}\r\n`;

/** Pipelines without end and reads nothing it is told. */
async function pipeline(address: string, text: string): Promise<void> {
  const socket = open(address);
  socket.resume();
  await once(socket, "data").catch(() => undefined);
  const gone = closed(socket);
  while (!socket.destroyed && !socket.writableEnded) {
    if (!socket.write(text)) await Promise.race([once(socket, "drain").catch(() => undefined), gone]);
    if (socket.readableEnded) socket.destroy();
  }
}

async function login(address: string): Promise<void> {
  const socket = secured(open(address));
  socket.write(`EHLO flood.example\r\n${wrongLogin.repeat(3)}`);
  socket.resume();
  await closed(socket);
}

/** Is greeted, and says nothing more. */
async function idle(socket: Socket, name: string): Promise<void> {
  socket.resume();
  await once(socket, "data").catch(() => undefined);
  socket.write(`EHLO ${name}\r\n`);
  await closed(socket);
  await pause(20);
}

/** An octet now and then, of a command that never ends. */
async function slowloris(address: string): Promise<void> {
  const socket = open(address);
  socket.resume();
  const timer = setInterval(() => socket.write("x"), 500);
  await closed(socket);
  clearInterval(timer);
}

/** Says as much as it is let, and never reads a reply. */
async function deaf(address: string): Promise<void> {
  const socket = open(address);
  socket.pause();
  const timer = setInterval(() => {
    if (socket.writableLength < 65_536) socket.write(manyHarmless);
  }, 20);
  await closed(socket);
  clearInterval(timer);
}

let guesses = 0;
/** Another password each time, by names that there are and names that nobody has. */
async function guess(address: string): Promise<void> {
  guesses += 1;
  const name = guesses % 2 === 0 ? "app" : `user${guesses % 100}`;
  const guessed = `AUTH PLAIN ${Buffer.from(`\0${name}\0guess ${guesses}`).toString("base64")}\r\n`;
  const socket = secured(open(address));
  socket.write(`EHLO flood.example\r\n${guessed.repeat(3)}`);
  socket.resume();
  await closed(socket);
}

function secured(socket: Socket): Socket {
  const secure = connectTls({ socket, rejectUnauthorized: false });
  secure.on("error", () => secure.destroy());
  return secure;
}

const kinds: Readonly<Record<string, (address: string) => Promise<unknown>>> = {
  refused: (address) => pipeline(address, manyRefused),
  harmless: (address) => pipeline(address, manyHarmless),
  connects: async (address) => {
    const socket = open(address);
    await once(socket, "connect").catch(() => undefined);
    socket.resetAndDestroy();
  },
  handshakes: async (address) => {
    const socket = open(address);
    socket.resume();
    socket.end("GET / HTTP/1.0\r\n\r\n");
    await closed(socket);
  },
  logins: login,
  silent: async (address) => {
    const socket = open(address);
    socket.resume();
    await closed(socket);
    // Who is turned away comes again, but not in the same instant.
    await pause(20);
  },
  idle: (address) => idle(open(address), "idle.example"),
  idleTls: (address) => idle(secured(open(address)), "idle.example"),
  slowloris,
  deaf,
  guesses: guess,
};
const connectionsOf: Readonly<Record<string, number>> = {
  silent: 1000,
  idle: 50,
  idleTls: 50,
  slowloris: 25,
  deaf: 25,
};

const attack = kinds[kind];
if (attack === undefined) throw new Error(`no such flood: ${kind}`);
const persist = async (address: string): Promise<never> => {
  // Whatever becomes of one connection, the next is tried.
  for (;;) await attack(address).catch(() => undefined);
};
await Promise.all(
  addresses.flatMap((address) => Array.from({ length: connectionsOf[kind] ?? 4 }, () => persist(address))),
);

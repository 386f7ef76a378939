/**
 * A client that means ill, as a program of its own: `flooder.ts KIND PORT ADDRESS...` keeps at it from these addresses of this
 * machine until it is killed. Each address has what one attacker would use: a few connections at once.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
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
  const socket = connectTls({ socket: open(address), rejectUnauthorized: false });
  socket.on("error", () => socket.destroy());
  socket.write(`EHLO flood.example\r\n${wrongLogin.repeat(3)}`);
  socket.resume();
  await closed(socket);
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
    await new Promise((resolve) => setTimeout(resolve, 20));
  },
};
const connectionsOf: Readonly<Record<string, number>> = { silent: 1000 };

const attack = kinds[kind];
if (attack === undefined) throw new Error(`no such flood: ${kind}`);
const persist = async (address: string): Promise<never> => {
  // Whatever becomes of one connection, the next is tried.
  for (;;) await attack(address).catch(() => undefined);
};
await Promise.all(
  addresses.flatMap((address) => Array.from({ length: connectionsOf[kind] ?? 4 }, () => persist(address))),
);

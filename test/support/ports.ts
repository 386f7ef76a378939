/** A port for a program that cannot choose one itself. Somebody else may take it first: then the program says so. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { until } from "./until.ts";

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Resolves when something accepts connections there. */
export async function untilListening(port: number): Promise<void> {
  await until(`a listener on port ${port}`, async () => {
    const socket = connect(port, "127.0.0.1");
    const { promise, resolve } = Promise.withResolvers<boolean>();
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    const isOpen = await promise;
    socket.destroy();
    return isOpen;
  });
}

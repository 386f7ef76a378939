/** A way to a server of this machine, byte by byte, whose connections can be made dead: open on both ends, and nothing comes through. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  isDead: boolean;
}

export class Passage {
  readonly port: number;
  readonly #pairs: Set<Pair>;
  readonly #close: () => Promise<void>;

  private constructor(port: number, pairs: Set<Pair>, close: () => Promise<void>) {
    this.port = port;
    this.#pairs = pairs;
    this.#close = close;
  }

  static async to(port: number): Promise<Passage> {
    const pairs = new Set<Pair>();
    const server = createServer((near) => openPair(pairs, near, port));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new Passage(address.port, pairs, async () => {
      for (const { near, far } of pairs) for (const socket of [near, far]) socket.destroy();
      server.close();
      await once(server, "close");
    });
  }

  /** Connections that are open now are dead from now on; new ones are not. Returns how many there were. */
  deaden(): number {
    const living = [...this.#pairs].filter((pair) => !pair.isDead);
    for (const pair of living) pair.isDead = true;
    return living.length;
  }

  async close(): Promise<void> {
    await this.#close();
  }
}

function openPair(pairs: Set<Pair>, near: Socket, port: number): void {
  const pair: Pair = { near, far: connect(port, "127.0.0.1"), isDead: false };
  pairs.add(pair);
  for (const [from, to] of [
    [pair.near, pair.far],
    [pair.far, pair.near],
  ] as const) {
    from.on("data", (bytes: Buffer) => {
      if (!pair.isDead) to.write(bytes);
    });
    from.on("error", () => {});
  }
  pair.far.on("close", () => {
    if (!pair.isDead) pair.near.destroy();
  });
  pair.near.on("close", () => {
    pairs.delete(pair);
    pair.far.destroy();
  });
}

/** Clients that have a connection each and little to say, from as many addresses as there are of loopback. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** Of 127.1.0.0/16: nobody's who is trusted. */
export function loopbackOf(index: number): string {
  return `127.1.${Math.floor(index / 250) % 250}.${(index % 250) + 1}`;
}

export interface StrangeWish {
  readonly port: number;
  readonly tls: boolean;
  readonly from: string;
}

export class StrangeClient {
  readonly #socket: Socket;
  #heard = "";

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#heard = (this.#heard + chunk.toString("latin1")).slice(-4096);
    });
    socket.on("error", () => socket.destroy());
  }

  /** Resolves with the greeting. */
  static async open({ port, tls, from }: StrangeWish): Promise<StrangeClient> {
    const bare = connect({ port, host: "127.0.0.1", localAddress: from });
    bare.on("error", () => bare.destroy());
    const client = new StrangeClient(tls ? connectTls({ socket: bare, rejectUnauthorized: false }) : bare);
    await client.#hears(/^220 .*\r\n/m);
    return client;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && !this.#socket.readableEnded;
  }

  async says(text: string, until: RegExp): Promise<void> {
    this.#heard = "";
    this.#socket.write(text);
    await this.#hears(until);
  }

  /** So many octets at a time, each in a packet of its own. */
  async trickle({ text, octetsAtOnce }: { readonly text: string; readonly octetsAtOnce: number }): Promise<void> {
    for (let at = 0; at < text.length && this.isOpen; at += octetsAtOnce) {
      this.#socket.write(text.slice(at, at + octetsAtOnce));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #hears(expected: RegExp): Promise<void> {
    while (!expected.test(this.#heard)) {
      if (!this.isOpen) throw new Error(`the relay closed the connection: ${this.#heard}`);
      await Promise.race([once(this.#socket, "data"), once(this.#socket, "close")]);
    }
  }
}

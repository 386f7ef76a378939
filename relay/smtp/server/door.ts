/** Node asks a server's block list about each peer right after `accept`, before there is a socket: the cheapest place to say no. */
import { BlockList, type SocketAddress } from "node:net";

export class Door extends BlockList {
  readonly #isShutFor: (peerAddress: string) => boolean;

  constructor(isShutFor: (peerAddress: string) => boolean) {
    super();
    this.#isShutFor = isShutFor;
  }

  override check(peer: string | SocketAddress): boolean {
    return this.#isShutFor(typeof peer === "string" ? peer : peer.address);
  }
}

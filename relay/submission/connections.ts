/** How many connections are open, in all and of each client, over all listeners. */
import { refusal, type Refusal } from "../mail/reply.ts";

export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsPerClient: number;
}

export class ConnectionCount {
  readonly #byClient = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** Counts the connection, or says why there may not be another; a refused one is not counted. */
  open(client: string, limits: ConnectionLimits): Refusal | undefined {
    const own = this.#byClient.get(client) ?? 0;
    if (this.#total >= limits.connections) return refusal(421, "4.3.2", "Too many connections, try again later");
    if (own >= limits.connectionsPerClient) {
      return refusal(421, "4.7.0", "Too many connections from your address, try again later");
    }
    this.#total += 1;
    this.#byClient.set(client, own + 1);
    return undefined;
  }

  close(client: string): void {
    const own = this.#byClient.get(client) ?? 0;
    this.#total -= 1;
    if (own > 1) this.#byClient.set(client, own - 1);
    else this.#byClient.delete(client);
  }
}

/** What a session's address says of its client, as the listener is configured now. A proxy's own address is nobody's who is trusted. */
import type { ListenerDocument } from "../../api/relayconfig.ts";
import type { NetworkCache } from "../../runtime/network.ts";
import type { ClientOrigin } from "../smtp/server/rules.ts";
import { networkPrincipal, type Principal } from "./identity/principal.ts";

export class ClientNetwork {
  readonly #origin: ClientOrigin;
  readonly #networks: NetworkCache;
  readonly #listener: () => ListenerDocument;
  /** Found out once for each list, which belongs to a snapshot. */
  #trust: { readonly networks: readonly string[]; readonly principal: Principal | undefined } | undefined;

  constructor(origin: ClientOrigin, networks: NetworkCache, listener: () => ListenerDocument) {
    this.#origin = origin;
    this.#networks = networks;
    this.#listener = listener;
  }

  /** Undefined where the listener does not trust it. */
  get principal(): Principal | undefined {
    const { trustedNetworks: networks } = this.#listener();
    if (this.#trust?.networks !== networks) {
      const { address } = this.#origin;
      this.#trust = { networks, principal: this.#isClientIn(networks) ? networkPrincipal(address) : undefined };
    }
    return this.#trust.principal;
  }

  /** Also where a load balancer does not say who the client is. */
  get isElsewhere(): boolean {
    const { sources } = this.#listener();
    return sources !== undefined && !this.#isClientIn(sources);
  }

  #isClientIn(networks: readonly string[]): boolean {
    return this.#origin.kind === "client" && this.#networks.has(networks, this.#origin.address);
  }
}

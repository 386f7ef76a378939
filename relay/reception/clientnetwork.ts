/** What a session's address says of its client, as the listener is configured now. A proxy's own address is nobody's who is trusted. */
import type { ListenerDocument } from "../../api/relayconfig.ts";
import type { NetworkCache } from "../../runtime/network.ts";
import type { ClientOrigin } from "../smtp/server/rules.ts";
import { refusal, type Refusal } from "../mail/reply.ts";
import { networkPrincipal, type Principal } from "./identity/principal.ts";

const pastTheProxies = refusal(421, "4.7.1", "This listener takes connections from its load balancers only");
/** For now, not for good: a network that somebody forgot to write down must not make its clients bounce their mail. */
const fromElsewhere = refusal(421, "4.7.1", "This listener takes no connections from this network");

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

  /** Why the client may not even connect. A load balancer that asks on its own behalf, for our health, is answered. */
  get barred(): Refusal | undefined {
    if (this.#origin.kind === "outsider") return pastTheProxies;
    return this.#origin.kind === "client" ? this.elsewhere : undefined;
  }

  /** Why the client may send nothing, also where a load balancer does not say who it is. */
  get elsewhere(): Refusal | undefined {
    const { sources } = this.#listener();
    return sources !== undefined && !this.#isClientIn(sources) ? fromElsewhere : undefined;
  }

  #isClientIn(networks: readonly string[]): boolean {
    return this.#origin.kind === "client" && this.#networks.has(networks, this.#origin.address);
  }
}

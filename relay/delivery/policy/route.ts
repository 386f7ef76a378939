/**
 * Which way a recipient's mail goes out. Pure: the snapshot and the recipient's address decide, nothing else.
 * It cannot fail: a recipient with no way out has a route that says why, and its mail waits.
 */
import type { SmarthostDocument } from "../../../api/relayconfig.ts";
import { mayLeave, type Addressee } from "../../config/mode.ts";
import type { DomainSettings, Snapshot } from "../../config/snapshot.ts";
import { domainOf } from "../../mail/address.ts";

/** `key` names the destination: recipients of one message with the same key share a transaction. */
export type Route =
  | { readonly kind: "smarthosts"; readonly key: string; readonly hosts: readonly SmarthostDocument[] }
  | { readonly kind: "mx"; readonly key: string; readonly domain: string }
  /** Into the spool's captured mail: it goes nowhere (delivery.mode). */
  | { readonly kind: "captured"; readonly key: string }
  | { readonly kind: "held"; readonly key: string; readonly reason: string };

/** Mail of a domain that has not arrived waits for it: the relay's way may not be the domain's own. */
export function routeIn(
  { relay, domains, gaps }: Pick<Snapshot, "relay" | "domains" | "gaps">,
  senderDomain: string,
  recipient: Addressee,
): Route {
  const settings = domains.get(senderDomain);
  if (settings === undefined && (gaps.shards || gaps.domains.has(senderDomain))) return notArrived;
  return routeOf(relay, settings, recipient);
}

const captured: Route = { kind: "captured", key: "captured" };

const notArrived: Route = {
  kind: "held",
  key: "held",
  reason: "the configuration of the sender's domain is not there yet",
};

/**
 * Nowhere where the mode says so, whatever ways there are; else the sender domain's own smarthosts first, else the relay's, else
 * the MX of the recipient's domain.
 */
export function routeOf(relay: Snapshot["relay"], domain: DomainSettings | undefined, recipient: Addressee): Route {
  if (!mayLeave(relay.delivery, recipient)) return captured;
  const own = domain?.document.smarthosts ?? [];
  const hosts = own.length > 0 ? own : relay.delivery.smarthosts;
  if (hosts.length > 0) return routeBy(hosts);
  const recipientDomain = domainOf(recipient.address);
  if (recipientDomain === "")
    return { kind: "held", key: "held", reason: "the recipient has no domain and there is no smarthost" };
  return { kind: "mx", key: `mx ${recipientDomain}`, domain: recipientDomain };
}

/** Asked several times for each message; the lists belong to a snapshot and never change. */
const routes = new WeakMap<readonly SmarthostDocument[], Route>();

function routeBy(hosts: readonly SmarthostDocument[]): Route {
  let route = routes.get(hosts);
  if (route === undefined) {
    route = { kind: "smarthosts", key: `smarthosts ${hosts.map(hostKey).join(" ")}`, hosts };
    routes.set(hosts, route);
  }
  return route;
}

function hostKey(host: SmarthostDocument): string {
  return `${host.host}:${host.port}/${host.tlsMode}${host.credentials === undefined ? "" : `/${host.credentials.username}`}`;
}

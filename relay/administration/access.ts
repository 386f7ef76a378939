/** Who may ask what on the administration port: the route that answers, or the refusal that says who asked and who may. Pure. */
import { operatorIdentity, relayIdentity } from "../../api/administration.ts";
import type { Caller, Route } from "./route.ts";

export interface Asked {
  /** Undefined for a certificate that names nobody. */
  readonly identity: string | undefined;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

interface Asker {
  /** What the identity is to this relay. */
  readonly caller: Caller | "stranger";
  /** As it can be shown. */
  readonly identity: string;
}

export type Access = Asker &
  (
    | { readonly kind: "admitted"; readonly route: Route; readonly rest: string }
    | { readonly kind: "refused"; readonly code: 403 | 404 | 405; readonly text: string; readonly allow?: string }
  );

export function decideAccess(
  routes: readonly Route[],
  relay: { readonly namespace: string; readonly name: string },
  asked: Asked,
): Access {
  const identities: Readonly<Record<Caller, string>> = { operator: operatorIdentity, peer: relayIdentity(relay) };
  const caller = callerOf(identities, asked.identity);
  const asker: Asker = { caller, identity: asked.identity ?? "a certificate without one URI" };
  const here = routes.filter((route) => isAt(route, asked.path));
  if (here.length === 0) {
    const paths = [...new Set(routes.map((route) => route.path))].join(" ");
    return { ...asker, kind: "refused", code: 404, text: `${asked.path} is not there; there are ${paths}` };
  }
  const route = here.find((candidate) => candidate.method === asked.method);
  if (route === undefined) {
    const allow = here.map((candidate) => candidate.method).join(", ");
    return {
      ...asker,
      kind: "refused",
      code: 405,
      allow,
      text: `${asked.method} is not for ${asked.path}; ${allow} is`,
    };
  }
  if (route.allowed !== caller) {
    const text = `${asker.identity} may not ${route.method} ${route.path}; ${identities[route.allowed]} may`;
    return { ...asker, kind: "refused", code: 403, text };
  }
  return { ...asker, kind: "admitted", route, rest: asked.path.slice(route.path.length) };
}

function callerOf(identities: Readonly<Record<Caller, string>>, identity: string | undefined): Asker["caller"] {
  if (identity === identities.operator) return "operator";
  return identity === identities.peer ? "peer" : "stranger";
}

function isAt(route: Route, path: string): boolean {
  return route.path.endsWith("/") ? path.startsWith(route.path) && path !== route.path : path === route.path;
}

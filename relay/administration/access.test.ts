import assert from "node:assert/strict";
import { test } from "node:test";
import { operatorIdentity } from "../../api/administration.ts";
import { decideAccess } from "./access.ts";
import type { Route } from "./route.ts";

const answer = (): Promise<void> => Promise.resolve();
const give: Route = { method: "POST", path: "/drain", allowed: "operator", answer };
const take: Route = { method: "DELETE", path: "/drain", allowed: "operator", answer };
const put: Route = { method: "PUT", path: "/handoff/", allowed: "peer", answer };
const relay = { namespace: "mail", name: "outbound" };
const own = "mailboat://relay/mail/outbound";

const admitted = [
  { identity: operatorIdentity, method: "POST", path: "/drain", route: give, rest: "", caller: "operator" },
  { identity: operatorIdentity, method: "DELETE", path: "/drain", route: take, rest: "", caller: "operator" },
  { identity: own, method: "PUT", path: "/handoff/0m%2F1", route: put, rest: "0m%2F1", caller: "peer" },
] as const;

for (const { route, rest, caller, ...asked } of admitted) {
  test(`${asked.identity} may ${asked.method} ${asked.path}`, () => {
    assert.deepEqual(decideAccess([give, take, put], relay, asked), {
      kind: "admitted",
      route,
      rest,
      caller,
      identity: asked.identity,
    });
  });
}

const refused = [
  {
    identity: own,
    method: "POST",
    path: "/drain",
    code: 403,
    text: `${own} may not POST /drain; ${operatorIdentity} may`,
  },
  {
    identity: operatorIdentity,
    method: "PUT",
    path: "/handoff/0m1",
    code: 403,
    text: `${operatorIdentity} may not PUT /handoff/; ${own} may`,
  },
  {
    identity: "mailboat://relay/mail/inbound",
    method: "PUT",
    path: "/handoff/0m1",
    code: 403,
    text: `mailboat://relay/mail/inbound may not PUT /handoff/; ${own} may`,
  },
  {
    identity: undefined,
    method: "POST",
    path: "/drain",
    code: 403,
    text: `a certificate without one URI may not POST /drain; ${operatorIdentity} may`,
  },
  {
    identity: own,
    method: "PUT",
    path: "/drain",
    code: 405,
    text: "PUT is not for /drain; POST, DELETE is",
    allow: "POST, DELETE",
  },
  {
    identity: own,
    method: "PUT",
    path: "/handoff/",
    code: 404,
    text: "/handoff/ is not there; there are /drain /handoff/",
  },
  { identity: own, method: "GET", path: "/", code: 404, text: "/ is not there; there are /drain /handoff/" },
  {
    identity: own,
    method: "GET",
    path: "/drain/",
    code: 404,
    text: "/drain/ is not there; there are /drain /handoff/",
  },
] as const;

for (const { code, text, ...asked } of refused) {
  test(`${asked.method} ${asked.path} of ${asked.identity ?? "nobody"} is ${code}: ${text}`, () => {
    const access = decideAccess([give, take, put], relay, asked);
    assert.ok(access.kind === "refused");
    assert.deepEqual([access.code, access.text], [code, text]);
    assert.equal(access.allow, "allow" in asked ? asked.allow : undefined);
  });
}

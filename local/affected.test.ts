import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, relayOf } from "../test/support/operatorobjects.ts";
import type { Reference } from "../operator/kube/kube.ts";
import { affectedBy } from "./affected.ts";

const given = {
  relays: [relayOf()],
  domains: [domainOf(), domainOf({ name: "shop-com", namespace: "shop", spec: { domain: "shop.example" } })],
};
const relay = "MailRelay/mail/outbound";
const own = "SenderDomain/mail/example-com";
const shop = "SenderDomain/shop/shop-com";

const rows: readonly (readonly [string, Reference, readonly string[]])[] = [
  ["a relay: itself and its domains", { kind: "MailRelay", namespace: "mail", name: "outbound" }, [own, shop, relay]],
  [
    "a domain: its rivals and the relays",
    { kind: "SenderDomain", namespace: "shop", name: "shop-com" },
    [own, shop, relay],
  ],
  ["a Secret beside a domain: that domain", { kind: "Secret", namespace: "shop", name: "login" }, [shop]],
  ["a pod: its relay", { kind: "Pod", namespace: "mail", name: "outbound-0" }, [relay]],
];

for (const [name, changed, expected] of rows) {
  test(`affectedBy() answers for ${name}`, () => {
    assert.deepEqual([...affectedBy(changed, given)].sort(), [...expected].sort());
  });
}

/** Senders that log in with tokens: what their relay has to take for that. Other kinds have their rows in plan.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, domainWorld, relayOf } from "../../test/support/operatorobjects.ts";
import { judgeSenders } from "./senders.ts";

const staff = { name: "staff", issuer: "https://login.example.com", audience: "mailboat" };
const identities = { serviceAccounts: {}, oidc: [staff] };
const takesTokens = relayOf({ identities });
const knowsGroups = relayOf({ identities: { oidc: [{ ...staff, groupsClaim: "groups" }] } });
const plainOnly = relayOf({
  identities,
  listeners: [{ name: "smtp", port: 25, tlsMode: "None", authentication: "Optional" }],
});
const byToken = { name: "pods", serviceAccounts: [{ namespace: "shop", name: "checkout" }] };
const people = (entry: object): object => ({ name: "people", oidc: [{ issuer: "staff", ...entry }] });

const rows: readonly (readonly [object, ReturnType<typeof relayOf> | undefined, boolean, RegExp])[] = [
  [byToken, takesTokens, true, /^$/],
  [byToken, undefined, true, /^$/],
  [byToken, relayOf(), false, /^spec\.senders\[0\]\.serviceAccounts: MailRelay mail\/outbound takes no tokens/],
  [byToken, plainOnly, false, /^spec\.senders: MailRelay mail\/outbound has no listener with TLS/],
  [people({ users: ["ann"] }), takesTokens, true, /^$/],
  [people({ users: ["ann"] }), plainOnly, false, /^spec\.senders: MailRelay mail\/outbound has no listener with TLS/],
  [
    people({ issuer: "staf", users: ["ann"] }),
    takesTokens,
    false,
    /^spec\.senders\[0\]\.oidc\[0\]\.issuer: MailRelay mail\/outbound has no entry staf in spec\.identities\.oidc/,
  ],
  [
    people({ groups: ["mailers"] }),
    takesTokens,
    false,
    /^spec\.senders\[0\]\.oidc\[0\]\.groups: MailRelay mail\/outbound knows no groups of staff/,
  ],
  [people({ users: ["ann"], groups: ["mailers"] }), takesTokens, true, /knows no groups of staff/],
  [people({ groups: ["mailers"] }), knowsGroups, true, /^$/],
];
for (const [sender, relay, canAnybodySend, said] of rows) {
  const way = relay === undefined ? "no relay" : JSON.stringify(relay.spec.identities);
  test(`${JSON.stringify(sender)} at ${way} lets ${canAnybodySend ? "somebody" : "nobody"} in: ${String(said)}`, () => {
    const judged = judgeSenders(domainWorld({ domain: domainOf({ spec: { senders: [sender] } }), relay }));
    assert.equal(judged.canAnybodySend, canAnybodySend);
    assert.match(judged.troubles.join("; "), said);
  });
}

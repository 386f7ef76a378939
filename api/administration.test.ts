import assert from "node:assert/strict";
import { test } from "node:test";
import { identityOf, operatorIdentity } from "./administration.ts";

const cases = [
  { names: `URI:${operatorIdentity}`, identity: operatorIdentity },
  { names: `DNS:localhost, URI:${operatorIdentity}, IP Address:127.0.0.1`, identity: operatorIdentity },
  { names: "URI:mailboat://relay/mail/outbound", identity: "mailboat://relay/mail/outbound" },
  { names: `DNS:${operatorIdentity}`, identity: undefined },
  { names: `URI:${operatorIdentity}, URI:mailboat://relay/mail/outbound`, identity: undefined },
  { names: `DNS:"a, URI:${operatorIdentity}, b"`, identity: undefined },
  { names: "", identity: undefined },
  { names: undefined, identity: undefined },
] as const;

for (const { names, identity } of cases) {
  test(`${names ?? "no name"} speaks for ${identity ?? "nobody"}`, () => assert.equal(identityOf(names), identity));
}

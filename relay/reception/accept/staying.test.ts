/** Whom mail is to stay for (delivery.mode) is written down with it, however a client writes the address. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBed } from "../../../test/support/submission.ts";

const rows: readonly (readonly [path: string, address: string, isListed: boolean])[] = [
  ["qa@example.net", "qa@example.net", true],
  ["QA@Example.NET", "QA@example.net", true],
  ["@one.example,@two.example:qa@example.net", "qa@example.net", true],
  ["any@TEST.example", "any@test.example", true],
  ["x@bücher.example", "x@xn--bcher-kva.example", true],
  ["x@xn--bcher-kva.example", "x@xn--bcher-kva.example", true],
  ["qa+shop@example.net", "qa+shop@example.net", false],
  ["@example.net:customer@customer.example", "customer@customer.example", false],
  ["@test.example,@test.example:customer@customer.example", "customer@customer.example", false],
  ["any@sub.test.example", "any@sub.test.example", false],
  ["customer@test.example.customer.example", "customer@test.example.customer.example", false],
  ['"qa@example.net"@customer.example', '"qa@example.net"@customer.example', false],
  ["\u212aate@example.net", "\u212aate@example.net", false],
  ["Kate@example.net", "Kate@example.net", true],
];
const allowRecipients = ["qa@example.net", "kate@example.net", "*@test.example", "*@xn--bcher-kva.example"];

for (const mode of ["Send", "Capture", "AllowList"] as const) {
  test(`mode ${mode}: each recipient of a message is kept with what the mode says of it`, async (t) => {
    const bed = await openBed({
      listeners: [{ name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] }],
      domains: { "example.com": { trustedNetworks: true } },
      delivery: { mode, allowRecipients },
      limits: { recipients: rows.length },
    });
    t.after(() => bed.close());
    const client = await bed.connect("pods");
    await client.reply();
    await client.command("EHLO client.example");
    await client.command("MAIL FROM:<a@example.com> SMTPUTF8");
    const wanted = new Map<string, true | undefined>();
    for (const [path, address, isListed] of rows) {
      assert.match(await client.command(`RCPT TO:<${path}>`), /^250 /, path);
      wanted.set(address, mode === "Capture" || (mode === "AllowList" && !isListed) ? true : undefined);
    }
    await client.command("DATA");
    assert.match(await client.command("From: a@example.com\r\n\r\nx\r\n."), /^250 /);
    const kept = bed.spool.kept.at(-1)?.recipients ?? [];
    assert.deepEqual(new Map(kept.map(({ address, stays }) => [address, stays])), wanted);
  });
}

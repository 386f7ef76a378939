import assert from "node:assert/strict";
import { test } from "node:test";
import { meaningOf } from "./meaning.ts";

const rows: readonly { readonly status: string; readonly saidBy?: "relay"; readonly what: RegExp }[] = [
  { status: "5.1.1", what: /no mailbox with this address/ },
  { status: "5.1.2", what: /domain of this address does not exist/ },
  { status: "5.1.10", what: /accepts no mail at all/ },
  { status: "5.1.99", what: /does not accept this address/ },
  { status: "4.2.2", what: /mailbox is full/ },
  { status: "5.3.4", what: /larger than the next mail server accepts/ },
  { status: "4.4.1", what: /gave no answer/ },
  { status: "5.4.4", what: /No way to the domain/ },
  { status: "5.6.7", what: /outside ASCII/ },
  { status: "5.7.1", what: /The other side refused.*policy/ },
  { status: "5.7.26", what: /could not verify/ },
  { status: "4.7.0", saidBy: "relay", what: /^The relay could not send/ },
  { status: "4.3.0", saidBy: "relay", what: /^The relay itself/ },
  { status: "4.4.1", saidBy: "relay", what: /gave no answer/ },
  { status: "5.0.0", what: /^The other side refused the message/ },
  { status: "4.0.0", what: /^The other side did not take the message/ },
  { status: "nonsense", what: /^The other side refused the message/ },
];

for (const { status, saidBy, what } of rows) {
  test(`meaningOf() explains ${status}, said by the ${saidBy ?? "other side"}`, () => {
    const meaning = meaningOf(status, saidBy ?? "other side", 554);
    assert.match(meaning.what, what);
    assert.match(meaning.advice, /\.$/);
  });
}

for (const [code, isAboutTheAddress] of [
  [550, true],
  [551, true],
  [553, true],
  [552, false],
  [554, false],
  [571, false],
] as const) {
  test(`meaningOf() a bare ${code} ${isAboutTheAddress ? "advises" : "does not advise"} to look for typing mistakes`, () => {
    assert.equal(/typing mistakes/.test(meaningOf("5.0.0", "other side", code).advice), isAboutTheAddress);
  });
}

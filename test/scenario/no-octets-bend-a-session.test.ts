/**
 * Whatever octets clients send, the relay lives, answers in the form of RFC 5321 or closes, and sends on what it answered 250, once, as it
 * was written, for whom it was written: commands, DSN parameters, addresses, logins, PROXY headers and messages of grammars, right,
 * wrong and bent, over every kind of listener, in packets of any size.
 *
 * Bounded here; `make fuzz MINUTES=n` goes on for longer, and SEED= repeats what a failure named.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz } from "../support/fuzz/run.ts";

const minutes = Number(process.env["MAILBOAT_FUZZ_MINUTES"] ?? 0);
const seed = process.env["MAILBOAT_FUZZ_SEED"];

test("no octets bend a session", { timeout: (minutes + 5) * 60_000 }, async (t) => {
  const counts = await fuzz(t, {
    file: import.meta.url,
    runs: 40,
    minutes,
    seed: seed === undefined ? undefined : Number(seed),
  });
  if (minutes > 0) t.diagnostic([...counts].map(([what, count]) => `${count} ${what}`).join(", "));
  // A run in which nothing came about would show nothing.
  for (const what of [
    "message settled",
    "message refused",
    "message broken off",
    "mail refused",
    "rcpt refused",
    "login PLAIN",
    "login refused",
    "proxy trusted",
    "proxy nobody",
    "proxy none",
  ]) {
    assert.ok((counts.get(what) ?? 0) > 0, `no ${what} in all of it`);
  }
});

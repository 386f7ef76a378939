/** How exchanges travel, with a mechanism of several rounds that says at the end what it has to say. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { beginExchange, goOn, type SaslExchange, type SaslStep } from "./sasl.ts";

const challenge = (data: string, answer: (response: Buffer) => SaslStep): SaslStep => ({
  kind: "challenge",
  data: Buffer.from(data),
  answer: (response) => Promise.resolve(answer(response)),
});

/** Names each message; the client's last one is empty, as RFC 4954 section 4 has it where the server speaks last. */
const rounds: SaslExchange = async (initial) =>
  Promise.resolve(
    challenge(`first ${initial?.toString() ?? "none"}`, (one) =>
      challenge(`second ${one.toString()}`, (two) =>
        challenge(`proof ${two.toString()}`, () => ({ kind: "authenticated" })),
      ),
    ),
  );

const base64 = (text: string): string => Buffer.from(text).toString("base64");

async function said(lines: readonly string[]): Promise<readonly string[]> {
  const [command = "", ...answers] = lines;
  const all: string[] = [];
  let step = await beginExchange(Buffer.from(command), (name) => (name === "ROUNDS" ? rounds : undefined));
  for (;;) {
    if (step.kind !== "challenge") return [...all, step.kind === "refusal" ? `${step.code} ${step.enhanced}` : "in"];
    all.push(step.data.toString());
    const line = answers.shift();
    if (line === undefined) return all;
    step = await goOn(step, Buffer.from(line));
  }
}

const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["a whole exchange", ["AUTH ROUNDS", base64("a"), base64("b"), ""], ["first none", "second a", "proof b", "in"]],
  ["a first message", [`AUTH ROUNDS ${base64("x")}`], ["first x"]],
  ["a first message without octets", ["AUTH ROUNDS ="], ["first "]],
  ["a name in lower case, and spaces", [`auth rounds  ${base64("x")}  `], ["first x"]],
  ["another name", ["AUTH CRAM-MD5"], ["504 5.5.4"]],
  ["another name with a message that is no base64", ["AUTH XOAUTH2 !!"], ["504 5.5.4"]],
  ["no name", ["AUTH"], ["504 5.5.4"]],
  ["two messages at once", ["AUTH ROUNDS YQ== YQ=="], ["501 5.5.4"]],
  ["a first message that is no base64", ["AUTH ROUNDS *"], ["501 5.5.2"]],
  ["an answer that is no base64", ["AUTH ROUNDS", "not base64"], ["first none", "501 5.5.2"]],
  ["half an octet", ["AUTH ROUNDS", "YWFhY"], ["first none", "501 5.5.2"]],
  ["padding that is none", ["AUTH ROUNDS", "YQ="], ["first none", "501 5.5.2"]],
  ["padding alone", ["AUTH ROUNDS", "=="], ["first none", "501 5.5.2"]],
  ["an answer without octets that is written as a first message is", ["AUTH ROUNDS", "="], ["first none", "second "]],
  ["another alphabet", ["AUTH ROUNDS", "_-_-"], ["first none", "501 5.5.2"]],
  ["missing padding", ["AUTH ROUNDS", "YQ"], ["first none", "second a"]],
  ["giving up at once", ["AUTH ROUNDS", "*"], ["first none", "501 5.5.2"]],
  ["giving up later", ["AUTH ROUNDS", base64("a"), " * "], ["first none", "second a", "501 5.5.2"]],
];
for (const [what, lines, expected] of rows) {
  test(`${what}: ${expected.join(", ")}`, async () => assert.deepEqual(await said(lines), expected));
}

test("whatever octets a message has, they arrive", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (octets) => {
      const seen: Buffer[] = [];
      const sent = Buffer.from(octets);
      const keep: SaslExchange = async (initial) => {
        seen.push(initial ?? Buffer.from("none"));
        return Promise.resolve({ kind: "authenticated" });
      };
      await beginExchange(Buffer.from(`AUTH X ${sent.toString("base64") || "="}`), () => keep);
      assert.deepEqual(seen, [sent]);
    }),
  );
});

/** Logins as a client says them (RFC 4954, 4616, 5802, 7628), right and wrong ones. */
import fc from "fast-check";
import { anyCase, bent, noise, pick } from "./wish.ts";

export interface LoginOf {
  readonly name: string;
  readonly password: string;
}

export type Login =
  /** With the right password. */
  | { readonly verdict: "right"; readonly mechanism: "PLAIN" | "LOGIN" | "SCRAM-SHA-256"; readonly hasInitial: boolean }
  /** Lines as they are, the first with AUTH; the rest answer challenges for as long as there are any. */
  | { readonly verdict: "wrong"; readonly lines: readonly string[] };

const right: fc.Arbitrary<Login> = fc.record({
  verdict: fc.constant("right" as const),
  mechanism: pick("PLAIN" as const, "LOGIN" as const, "SCRAM-SHA-256" as const),
  hasInitial: fc.boolean(),
});

const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");

const mechanism = pick(
  "PLAIN",
  "LOGIN",
  "SCRAM-SHA-256",
  "SCRAM-SHA-256-PLUS",
  "EXTERNAL",
  "OAUTHBEARER",
  "XOAUTH2",
  "CRAM-MD5",
  "ANONYMOUS",
  "GSSAPI",
  "NTLM",
  "",
  "X".repeat(300),
);

/** Names that tests log in with nowhere, so that what failed logins of a name cost is nobody's. */
const stranger = pick("nobody", "nobody@example.com", "n".repeat(300), "", "=2C", "\xc3\xbc", "a\0b", "\xff\xfe");
const secret = pick("no such password", "", "x".repeat(3000), "\0", "\xff");

const message = fc.oneof(
  fc.tuple(stranger, stranger, secret).map((parts) => parts.join("\0")),
  fc
    .tuple(pick("n,,", "y,,", "p=tls-exporter,,", "p=tls-unique,,", "n,a=boss,", ""), stranger, pick("abc", "", "a b"))
    .map(([header, name, nonce]) => `${header}n=${name},r=${nonce}`),
  fc
    .tuple(
      pick("biws", "eSws", "", "b!"),
      pick("abc", ""),
      pick("", "AAAA", "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
    )
    .map(([binding, nonce, proof]) => `c=${binding},r=${nonce},p=${proof}`),
  fc
    .tuple(
      pick("n,,", "n,a=nobody,", ""),
      pick("Bearer ", "bearer", ""),
      pick("", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "x".repeat(4000)),
    )
    .map(([header, scheme, token]) => `${header}\x01auth=${scheme}${token}\x01\x01`),
  fc.constant("user=nobody\x01auth=Bearer eyJhbGciOiJub25lIn0.e30.\x01\x01"),
  stranger,
  noise,
);

const line = fc.oneof(
  { weight: 6, arbitrary: message.map(base64) },
  { weight: 2, arbitrary: bent(message.map(base64)) },
  {
    weight: 1,
    arbitrary: pick("", "*", "=", "====", " *", "QUIT", "A".repeat(12_289), "A".repeat(40_000), "YQ", "_-_-"),
  },
  { weight: 1, arbitrary: noise },
);

const wrong: fc.Arbitrary<Login> = fc
  .tuple(
    mechanism.chain((name) => anyCase(name)),
    fc.option(line),
    fc.array(line, { minLength: 1, maxLength: 4 }),
  )
  .map(([name, initial, answers]) => ({
    verdict: "wrong",
    lines: [`AUTH ${name}${initial === null ? "" : ` ${initial}`}`, ...answers, "*"],
  }));

export const login: fc.Arbitrary<Login> = fc.oneof({ weight: 3, arbitrary: right }, { weight: 2, arbitrary: wrong });

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

/** Of which tokens the relay knows a key. */
export const tokenTerms = { issuer: "https://kubernetes.default.svc", audience: "mailboat" };

const base64Url = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** What JSON may hold where words belong; left out where undefined. */
const oddity = pick<unknown>({}, { toString: 1 }, [], ["known"], 1, null, true, "", "x".repeat(300), undefined);
const often = <T>(wanted: T): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(wanted) }, { weight: 1, arbitrary: oddity });

/** Signed by nobody, and otherwise as one of the cluster would be. */
const forged = fc
  .record({
    header: fc.record({ alg: often("ES256"), kid: fc.oneof(fc.constant("known"), oddity), typ: often("JWT") }),
    claims: fc.record({
      iss: often(tokenTerms.issuer),
      aud: often(tokenTerms.audience),
      exp: often(4_000_000_000),
      nbf: often(1),
      sub: often("system:serviceaccount:shop:checkout"),
    }),
  })
  .map(({ header, claims }) => `${base64Url(header)}.${base64Url(claims)}.${"A".repeat(86)}`);

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

/** OAUTHBEARER ends with a notice, which the client acknowledges (RFC 7628 section 3.2.3). */
const withToken: fc.Arbitrary<Login> = forged
  .chain((one) =>
    pick(
      ["OAUTHBEARER", `n,,\x01auth=Bearer ${one}\x01\x01`],
      ["XOAUTH2", `user=\x01auth=Bearer ${one}\x01\x01`],
      ["PLAIN", `\0\0${one}`],
    ),
  )
  .map(([name = "", said = ""]) => ({ verdict: "wrong", lines: [`AUTH ${name} ${base64(said)}`, "AQ=="] }));

export const login: fc.Arbitrary<Login> = fc.oneof(
  { weight: 6, arbitrary: right },
  { weight: 4, arbitrary: wrong },
  { weight: 2, arbitrary: withToken },
);

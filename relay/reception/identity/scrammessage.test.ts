import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseClientFinal, parseClientFirst } from "./scrammessage.ts";

const firsts: readonly (readonly [what: string, message: string, expected: string])[] = [
  [
    "as in RFC 7677",
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "unable||user|rOprNGfwEbeRWgbNEkqO|n=user,r=rOprNGfwEbeRWgbNEkqO",
  ],
  ["that saw no PLUS", "y,,n=user,r=abc", "unoffered||user|abc|n=user,r=abc"],
  ["bound", "p=tls-exporter,,n=user,r=abc", "tls-exporter||user|abc|n=user,r=abc"],
  ["for somebody", "n,a=boss,n=user,r=abc", "unable|boss|user|abc|n=user,r=abc"],
  ["a comma and an equals sign in the name", "n,,n=a=2Cb=3D2C,r=abc", "unable||a,b=2C|abc|n=a=2Cb=3D2C,r=abc"],
  ["a name that is not ASCII", "n,,n=j\u00fcrgen,r=abc", "unable||j\u00fcrgen|abc|n=j\u00fcrgen,r=abc"],
  ["an extension that may be ignored", "n,,n=user,r=abc,x=some=thing", "unable||user|abc|n=user,r=abc,x=some=thing"],
  ["an extension that must be understood", "n,,m=x,n=user,r=abc", "501 5.5.2"],
  ["one in another place", "n,,n=user,r=abc,m=x", "501 5.5.2"],
  ["an attribute that comes twice", "n,,n=user,r=abc,r=abcd", "501 5.5.2"],
  ["a server's attribute", "n,,n=user,r=abc,s=abcd", "501 5.5.2"],
  ["an equals sign in the name as it is", "n,,n=a=b,r=abc", "501 5.5.2"],
  ["an escape in lower case", "n,,n=a=2cb,r=abc", "501 5.5.2"],
  ["NUL in the name", "n,,n=a\0b,r=abc", "501 5.5.2"],
  ["a line end in the name", "n,,n=a\nb,r=abc", "501 5.5.2"],
  ["a line end in the identity", "n,a=a\nb,n=ab,r=abc", "501 5.5.2"],
  ["no name", "n,,n=,r=abc", "501 5.5.2"],
  ["an identity that is empty and yet named", "n,a=,n=user,r=abc", "501 5.5.2"],
  ["no nonce", "n,,n=user,r=", "501 5.5.2"],
  ["a nonce with a space", "n,,n=user,r=a b", "501 5.5.2"],
  ["a nonce that is not ASCII", "n,,n=user,r=\u00e4", "501 5.5.2"],
  ["another flag", "N,,n=user,r=abc", "501 5.5.2"],
  ["a binding without a type", "p=,,n=user,r=abc", "501 5.5.2"],
  ["a binding whose type has other characters", "p=tls_exporter,,n=user,r=abc", "501 5.5.2"],
  ["one comma of the header", "n,n=user,r=abc", "501 5.5.2"],
  ["the other order", "n,,r=abc,n=user", "501 5.5.2"],
  ["a line end behind it", "n,,n=user,r=abc\n", "501 5.5.2"],
  ["a mark before it", "\ufeffn,,n=user,r=abc", "501 5.5.2"],
  ["nothing", "", "501 5.5.2"],
];
for (const [what, message, expected] of firsts) {
  test(`parseClientFirst() of a message ${what}: ${JSON.stringify(expected)}`, () => {
    const read = parseClientFirst(Buffer.from(message));
    if (read.kind === "refusal") return assert.equal(`${read.code} ${read.enhanced}`, expected);
    const flag = read.flag.kind === "bound" ? read.flag.type : read.flag.kind;
    assert.equal([flag, read.authzid, read.username, read.nonce, read.bare].join("|"), expected);
    assert.equal(read.header + read.bare, message);
  });
}

const proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const finals: readonly (readonly [what: string, message: string, expected: string])[] = [
  ["as in RFC 7677", `c=biws,r=abcdef,p=${proof}`, "n,,|abcdef|32|c=biws,r=abcdef"],
  ["with an extension", `c=biws,r=abcdef,x=1,p=${proof}`, "n,,|abcdef|32|c=biws,r=abcdef,x=1"],
  ["with an empty proof", "c=biws,r=abcdef,p=", "n,,|abcdef|0|c=biws,r=abcdef"],
  ["without a proof", "c=biws,r=abcdef", "501 5.5.2"],
  ["with something behind the proof", `c=biws,r=abcdef,p=${proof},x=1`, "501 5.5.2"],
  ["with two proofs", `c=biws,r=abcdef,p=${proof},p=${proof}`, "501 5.5.2"],
  ["with the nonce first", `r=abcdef,c=biws,p=${proof}`, "501 5.5.2"],
  ["whose binding is no base64", `c=b!ws,r=abcdef,p=${proof}`, "501 5.5.2"],
  ["whose binding lacks its padding", `c=biwsbg,r=abcdef,p=${proof}`, "501 5.5.2"],
  ["whose proof lacks its padding", `c=biws,r=abcdef,p=${proof.slice(0, -1)}`, "501 5.5.2"],
  ["with m=", `m=1,c=biws,r=abcdef,p=${proof}`, "501 5.5.2"],
  ["of nothing", "", "501 5.5.2"],
];
for (const [what, message, expected] of finals) {
  test(`parseClientFinal() of a message ${what}: ${expected}`, () => {
    const read = parseClientFinal(Buffer.from(message));
    if (read.kind === "refusal") return assert.equal(`${read.code} ${read.enhanced}`, expected);
    assert.equal([read.binding, read.nonce, read.proof.length, read.withoutProof].map(String).join("|"), expected);
  });
}

test("octets that are no UTF-8 are refused in both", () => {
  const octets = Buffer.from([...Buffer.from("n,,n=a"), 0xff, ...Buffer.from(",r=abc")]);
  assert.equal(parseClientFirst(octets).kind, "refusal");
  assert.equal(parseClientFinal(octets).kind, "refusal");
});

const nonces = fc.stringMatching(/^[!-+\--~]+$/);
const names = fc
  .string({ unit: "binary", minLength: 1 })
  .filter((name) => !/\p{Cc}/u.test(name) && !name.includes("\ufeff") && name.isWellFormed());

test("what a client writes by the grammar is read as it was meant", () => {
  fc.assert(
    fc.property(names, fc.option(names, { nil: "" }), nonces, (username, authzid, nonce) => {
      const escape = (name: string): string => name.replaceAll("=", "=3D").replaceAll(",", "=2C");
      const header = `y,${authzid === "" ? "" : `a=${escape(authzid)}`},`;
      const read = parseClientFirst(Buffer.from(`${header}n=${escape(username)},r=${nonce}`));
      assert.ok(read.kind === "first");
      assert.deepEqual([read.header, read.authzid, read.username, read.nonce], [header, authzid, username, nonce]);
    }),
  );
});

test("whatever else comes is read or refused, and what is read is all that was written", () => {
  const piece = fc.constantFrom(
    ..."n y p= a= n= r= m= c= p= s= v= , ,, = =2C =3D tls-exporter biws \0 \n x ".split(" "),
    " ",
  );
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 64 }).map((octets) => Buffer.from(octets)),
    fc.array(piece, { maxLength: 16 }).map((pieces) => Buffer.from(pieces.join(""))),
  );
  fc.assert(
    fc.property(message, (octets) => {
      const first = parseClientFirst(octets);
      if (first.kind === "first") assert.equal(first.header + first.bare, octets.toString());
      const final = parseClientFinal(octets);
      if (final.kind === "final") assert.ok(octets.toString().startsWith(`${final.withoutProof},p=`));
    }),
    { numRuns: 2000 },
  );
});

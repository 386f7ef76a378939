import assert from "node:assert/strict";
import { test } from "node:test";
import { now, relayWorld, secretOf } from "../../test/support/operatorobjects.ts";
import { makeCertificateAuthority } from "./issue.ts";
import { authorityField, decideTrust } from "./trust.ts";

test("what an authority is to sign waits for its renewal, unless that is refused", async () => {
  const { certificate, privateKey } = await makeCertificateAuthority(now);
  const values = { "tls.crt": certificate, "tls.key": privateKey, "ca.crt": certificate };
  const authority = secretOf({ name: "mailboat-ca", namespace: "mailboat-system", values });
  const kindsOf = (field: string): readonly string[] => {
    const rejections = [{ field, message: "Kubernetes refuses Secret x" }];
    return decideTrust(relayWorld({ authority, rejections })).actions.map(({ kind }) => kind);
  };
  assert.deepEqual(kindsOf("spec.pod"), ["keepAuthority", "keepAuthority"], "that of clients, and that of pods");
  assert.deepEqual(kindsOf(authorityField), ["keepAuthority", "issue", "keepAuthority"]);
});

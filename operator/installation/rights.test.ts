import assert from "node:assert/strict";
import { test } from "node:test";
import { installation } from "../../test/support/operatorobjects.ts";
import { grantCommand } from "./rights.ts";

test("grantCommand() names the role that the installation has", () => {
  const tail = "--serviceaccount mailboat-system:mailboat-operator";
  assert.equal(
    grantCommand(installation, "shop"),
    `kubectl create rolebinding mailboat-secrets --namespace shop --clusterrole mailboat-secrets ${tail}`,
  );
  assert.equal(
    grantCommand({ ...installation, secretsRole: { kind: "Role", name: "mailboat-operator" } }, "shop"),
    `kubectl create rolebinding mailboat-operator --namespace shop --role mailboat-operator ${tail}`,
  );
});

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { keptFresh } from "./connection.ts";
import { openPodAccount } from "./podaccount.ts";

function accountFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "mailboat-account-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "namespace"), "mailboat-system\n");
  writeFileSync(join(folder, "token"), "first\n");
  writeFileSync(join(folder, "ca.crt"), "authority");
  return folder;
}

const inPod = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

test("openPodAccount() reads the pod's three files, and finds none outside a pod", async (context) => {
  const folder = accountFolder(context);
  assert.equal(await openPodAccount({}, folder), undefined);
  const access = await openPodAccount(inPod, folder);
  assert.equal(access?.server.href, "https://10.0.0.1/");
  assert.equal(access.namespace, "mailboat-system");
  assert.deepEqual(await access.read(), {
    headers: { authorization: "Bearer first" },
    tls: { ca: "authority" },
    proxy: undefined,
  });
  const overIpv6 = await openPodAccount(
    { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" },
    folder,
  );
  assert.equal(overIpv6?.server.href, "https://[fd00::1]:6443/");
  await assert.rejects(openPodAccount(inPod, join(folder, "absent")), /ENOENT.*namespace/);
});

test("keptFresh() uses a renewed token after half a minute, and at once when the server refused the last one", async (context) => {
  const folder = accountFolder(context);
  const access = await openPodAccount(inPod, folder);
  assert.ok(access !== undefined);
  let now = 0;
  const connection = keptFresh(access, () => now);
  const token = async (isRefused?: boolean): Promise<unknown> =>
    (await connection.credentials(isRefused)).headers["authorization"];
  assert.equal(await token(), "Bearer first");
  writeFileSync(join(folder, "token"), "second");
  now = 29_000;
  assert.equal(await token(), "Bearer first");
  assert.equal(await token(true), "Bearer second");
  writeFileSync(join(folder, "token"), "third");
  now = 60_000;
  assert.equal(await token(), "Bearer third");
});

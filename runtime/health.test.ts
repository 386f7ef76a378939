import assert from "node:assert/strict";
import { get } from "node:http";
import { networkInterfaces } from "node:os";
import { after, test } from "node:test";
import { isLoopback, openHealth } from "./health.ts";
import { createLog } from "./log.ts";

const server = await openHealth({
  host: "127.0.0.1",
  port: 0,
  log: createLog({ level: "silent", program: "test" }),
  pages: {
    "/ok": async () => ({ status: 200, contentType: "text/plain", body: "fine\n" }),
    "/asked": async ({ query, isLocal }) => ({
      status: 200,
      contentType: "text/plain",
      body: JSON.stringify([query.get("id"), isLocal]),
    }),
    "/broken": async () => {
      throw new Error("secret detail");
    },
  },
});
after(async () => server.close());

async function ask(path: string, method = "GET"): Promise<readonly [number, string]> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return [response.status, await response.text()];
}

test("a page is answered, with or without a query", async () => {
  assert.deepEqual(await ask("/ok"), [200, "fine\n"]);
  assert.deepEqual(await ask("/ok?x=1"), [200, "fine\n"]);
  assert.deepEqual(await ask("/ok", "HEAD"), [200, ""]);
});

test("a page is told its query and that who asks is on this machine", async () => {
  assert.deepEqual(await ask("/asked?id=%3Ca%2B1%40example.com%3E"), [200, '["<a+1@example.com>",true]']);
  assert.deepEqual(await ask("/asked?"), [200, "[null,true]"]);
});

test("an unknown page says which there are", async () => {
  assert.deepEqual(await ask("/nothing"), [404, "not found; there are /ok /asked /broken\n"]);
});

test("only reading is possible", async () => {
  assert.equal((await ask("/ok", "POST"))[0], 405);
});

test("a page that cannot be made gives nothing of the reason away", async () => {
  const [status, body] = await ask("/broken");
  assert.equal(status, 500);
  assert.doesNotMatch(body, /secret/);
});

/** fetch() writes the Host field itself. */
async function askAs(host: string | undefined): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const headers = host === undefined ? {} : { host };
  const options = { host: "127.0.0.1", port: server.port, path: "/asked", headers, setHost: false };
  get(options, (response) => {
    response.setEncoding("utf8");
    let body = "";
    response.on("data", (text: string) => (body += text)).on("end", () => resolve(body));
  }).on("error", reject);
  return promise;
}

for (const [host, isLocal] of [
  ["localhost", true],
  ["LocalHost:9464", true],
  ["127.0.0.1:9464", true],
  ["[::1]:9464", true],
  ["rebound.example:9464", false],
  ["localhost.rebound.example", false],
  ["127.0.0.1.rebound.example", false],
  ["10.0.0.7:9464", false],
] as const) {
  test(`who asks over loopback for ${host} is ${isLocal ? "" : "not "}taken for this machine`, async () => {
    assert.equal(await askAs(host), `[null,${isLocal}]`);
  });
}

const addresses: readonly (readonly [address: string, isLocal: boolean])[] = [
  ["127.0.0.1", true],
  ["127.9.8.7", true],
  ["::ffff:127.0.0.1", true],
  ["::1", true],
  ["10.0.0.1", false],
  ["::ffff:10.127.0.1", false],
  ["2001:db8::1", false],
  ["::127.0.0.1", false],
  ["1127.0.0.1", false],
  ["fe80::1", false],
  ["", false],
];

for (const [address, isLocal] of addresses) {
  test(`isLoopback() of "${address}" is ${isLocal}`, () => assert.equal(isLoopback(address), isLocal));
}

test("a page knows who asks by an address of another interface from who asks by loopback", async (t) => {
  const outer = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4");
  if (outer === undefined) return t.skip("this machine has loopback alone");
  const pages = {
    "/asked": async ({ isLocal }: { readonly isLocal: boolean }) => {
      return { status: 200, contentType: "text/plain", body: String(isLocal) };
    },
  };
  const everywhere = await openHealth({
    host: "0.0.0.0",
    port: 0,
    log: createLog({ level: "silent", program: "test" }),
    pages,
  });
  t.after(() => everywhere.close());
  const headers = { host: "localhost" };
  for (const [host, isLocal] of [
    ["127.0.0.1", "true"],
    [outer.address, "false"],
  ] as const) {
    const { promise, resolve } = Promise.withResolvers<string>();
    const request = get({ host, port: everywhere.port, path: "/asked", headers, agent: false }, (response) => {
      response.setEncoding("utf8").on("data", resolve);
    });
    request.on("error", (error) => resolve(String(error)));
    assert.equal(await promise, isLocal, host);
  }
});

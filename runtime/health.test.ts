import assert from "node:assert/strict";
import { get } from "node:http";
import { after, test } from "node:test";
import { openHealth } from "./health.ts";
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

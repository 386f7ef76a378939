import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { Feed } from "./feed.ts";

/** A server that feeds, and a reader that collects until a text has come. */
async function open(
  context: TestContext,
): Promise<{ feed: Feed; read: (last: string | undefined, until: string) => Promise<string> }> {
  const feed = new Feed("run");
  const server = createServer((request, response) =>
    feed.follow(response, request.headers["last-event-id"]?.toString()),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    feed.close();
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const read = async (last: string | undefined, until: string): Promise<string> => {
    const stop = new AbortController();
    const response = await fetch(`http://127.0.0.1:${port}`, {
      signal: stop.signal,
      headers: last === undefined ? {} : { "last-event-id": last },
    });
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array);
      if (text.includes(until)) break;
    }
    stop.abort();
    return text;
  };
  return { feed, read };
}

test("a reader gets what happens, and what it missed when it comes back", async (context) => {
  const { feed, read } = await open(context);
  for (const id of ["a", "b", "c"]) feed.publish("message", { id });
  assert.equal(
    await read("run-1", '"c"'),
    'retry: 1000\n\nid: run-2\nevent: message\ndata: {"id":"b"}\n\nid: run-3\nevent: message\ndata: {"id":"c"}\n\n',
  );
});

const strangers: readonly (readonly [name: string, last: string | undefined])[] = [
  ["is new", undefined],
  ["comes from another run", "earlier-1"],
  ["was away for too long", "run-2"],
  ["makes its number up", "run-9999999"],
  ["sends nonsense", "run-x"],
];
for (const [name, last] of strangers) {
  test(`a reader that ${name} is told to read the list`, async (context) => {
    const { feed, read } = await open(context);
    for (let count = 0; count < 1_200; count += 1) feed.publish("message", { count });
    assert.equal(await read(last, "list"), "retry: 1000\n\nid: run-1200\nevent: list\ndata: {}\n\n");
  });
}

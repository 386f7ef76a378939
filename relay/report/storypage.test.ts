import assert from "node:assert/strict";
import { test } from "node:test";
import { storyAnswer } from "../../api/messagestory.ts";
import type { SpoolId } from "../spool/message/id.ts";
import { MessageHistory } from "../observe/history.ts";
import { storyPage } from "./storypage.ts";

const history = new MessageHistory();
const [original, notice] = ["0m1" as SpoolId, "0m2" as SpoolId];
const line = { domain: "example.com", traceId: undefined };
history.add(
  { kind: "accepted", at: 2, line: { ...line, spoolId: original, listener: "smtp", sizeBytes: 9, recipients: 1 } },
  () => ({ spoolId: original, domain: "example.com", acceptedAt: 1, sizeBytes: 9, messageId: "<secret@example.com>" }),
);
history.add({ kind: "bounced", at: 3, line: { ...line, spoolId: original, notice: "failed", noticeId: notice } }, () =>
  assert.fail("it is known"),
);
history.add(
  { kind: "accepted", at: 3, line: { ...line, spoolId: notice, sizeBytes: 99, recipients: 1, noticeOf: original } },
  () => ({ spoolId: notice, domain: "example.com", acceptedAt: 3, sizeBytes: 99 }),
);

function ask(query: string, isLocal = true): ReturnType<typeof storyPage> {
  return storyPage({ query: new URLSearchParams(query), isLocal }, { history, startedAt: 0 });
}

for (const query of ["id=0m1", "id=%3Csecret%40example.com%3E", "id=secret@example.com"]) {
  test(`${query} gives the story and that of its notice, and no address`, () => {
    const page = ask(query);
    const answer = storyAnswer.parse(JSON.parse(page.body));
    assert.deepEqual(
      answer.stories.map(({ spoolId, events }) => [spoolId, ...events.map(({ event }) => event)]),
      [
        ["0m1", "accepted", "bounced"],
        ["0m2", "accepted"],
      ],
    );
    assert.equal(answer.remembered, 2);
    assert.doesNotMatch(page.body, /@/);
  });
}

test("stories are told over loopback only, to who asks for one", () => {
  assert.equal(ask("id=0m1", false).status, 403);
  assert.equal(ask("").status, 400);
  assert.deepEqual(storyAnswer.parse(JSON.parse(ask("id=0m9").body)).stories, []);
});

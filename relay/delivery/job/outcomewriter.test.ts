/** What is written, what is tried again and what is given up, against a spool that says so. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { createLog } from "../../../runtime/log.ts";
import type { Entry } from "../../spool/message/message.ts";
import type { Outcomes } from "../../spool/verbs.ts";
import { OutcomeRefusedError, SpoolFullError } from "../../spool/verbs.ts";
import { newMessage, silentMetrics } from "../../../test/support/relayvalues.ts";
import { asking, type Job } from "./job.ts";
import { OutcomeWriter } from "./outcomewriter.ts";

const within = { timeout: 10_000 };

/** Refuses what it is asked for so often, and tells of each refusal. */
function writerOver(t: TestContext, refusal: Error, times: number) {
  let tries = 0;
  const refused = Promise.withResolvers<void>();
  const settle = (): Promise<readonly Entry[]> => {
    tries += 1;
    if (tries > times) return Promise.resolve([]);
    // Not before the writer has heard of it.
    setImmediate(refused.resolve);
    return Promise.reject(refusal);
  };
  const log = createLog({ level: "silent", program: "test" });
  const starter = { reserve: () => undefined, arrived: () => undefined };
  const writer = new OutcomeWriter({ spool: { settle }, starter, log, metrics: silentMetrics });
  t.after(() => writer.giveUp());
  const { message, recipients } = newMessage();
  const lane = { key: "lane", cap: 1 };
  const job: Job = {
    message,
    recipients,
    route: { kind: "mx", key: "lane", domain: "example.net" },
    lane,
    state: asking,
  };
  const outcomes: Outcomes = { id: message.id, outcomes: [] };
  return { writer, refused: refused.promise, tries: () => tries, write: () => writer.write(job, outcomes) };
}

test(
  "an outcome that is refused for itself is given up when delivery closes, and holds up no stop",
  within,
  async (t) => {
    const { writer, refused, tries, write } = writerOver(t, new OutcomeRefusedError("its rows"), Infinity);
    const written = write();
    await refused;
    writer.close();
    assert.equal(await written, false);
    // Once more, because it may have passed meanwhile; and then never.
    assert.equal(tries(), 2);
    assert.equal(writer.isBlocked, false);
  },
);

test(
  "an outcome that waits for the spool is tried on while delivery closes, until it is given up",
  within,
  async (t) => {
    const { writer, refused, tries, write } = writerOver(t, new SpoolFullError("full"), 1);
    const written = write();
    await refused;
    assert.equal(writer.isBlocked, true);
    writer.close();
    assert.equal(await written, true);
    assert.equal(tries(), 2);
    assert.equal(writer.isBlocked, false);
    const never = writerOver(t, new SpoolFullError("full"), Infinity);
    const unwritten = never.write();
    await never.refused;
    never.writer.giveUp();
    assert.equal(await unwritten, false);
    assert.equal(never.tries(), 1);
  },
);

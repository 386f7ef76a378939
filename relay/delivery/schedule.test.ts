import assert from "node:assert/strict";
import { test } from "node:test";
import { newMessage } from "./fixtures.ts";
import { DeliverySchedule, groupRecipients, recipientsPerTransaction, type Job } from "./schedule.ts";

const wide = { messages: 1_000, bytes: 1 << 20, inFlight: 100, inFlightPerRoute: 100 };

function jobOf(domain: string, routeKey = "r"): Job {
  const { message, recipients } = newMessage({ domain });
  return { message, recipients, routeKey };
}

function takeAll(schedule: DeliverySchedule): Job[] {
  const jobs: Job[] = [];
  for (let job = schedule.take(); job !== undefined; job = schedule.take()) jobs.push(job);
  return jobs;
}

test("DeliverySchedule lets sender domains take turns", () => {
  const schedule = new DeliverySchedule(wide);
  schedule.add([jobOf("a"), jobOf("a"), jobOf("a"), jobOf("b"), jobOf("c"), jobOf("b")]);
  const order = takeAll(schedule).map((job) => job.message.domain);
  assert.deepEqual(order, ["a", "b", "c", "a", "b", "a"]);
});

test("DeliverySchedule lets the routes of one domain take turns", () => {
  const schedule = new DeliverySchedule(wide);
  schedule.add([jobOf("a", "slow"), jobOf("a", "slow"), jobOf("a", "fast")]);
  assert.deepEqual(
    takeAll(schedule).map((job) => job.routeKey),
    ["slow", "fast", "slow"],
  );
});

test("DeliverySchedule passes over a route that has its share in flight", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlightPerRoute: 1 });
  const slow = jobOf("a", "slow");
  schedule.add([slow, jobOf("a", "slow"), jobOf("b", "slow"), jobOf("a", "fast")]);
  assert.deepEqual(
    takeAll(schedule).map((job) => `${job.message.domain} ${job.routeKey}`),
    ["a slow", "a fast"],
  );
  schedule.finish(slow);
  assert.equal(schedule.take()?.message.domain, "b");
});

test("DeliverySchedule never has more in flight than the window allows", () => {
  const schedule = new DeliverySchedule({ ...wide, inFlight: 2 });
  schedule.add([jobOf("a"), jobOf("b"), jobOf("c")]);
  const [first] = takeAll(schedule);
  assert.equal(schedule.inFlight, 2);
  assert.ok(first);
  schedule.finish(first);
  assert.equal(takeAll(schedule).length, 1);
});

test("DeliverySchedule counts a message until its last job is finished", () => {
  const schedule = new DeliverySchedule({ ...wide, messages: 1 });
  const job = jobOf("a", "one");
  schedule.add([job, { ...job, routeKey: "two" }]);
  assert.equal(schedule.room(), 0);
  const jobs = takeAll(schedule);
  assert.equal(jobs.length, 2);
  for (const taken of jobs) schedule.finish(taken);
  assert.equal(schedule.room(), 1);
  assert.ok(schedule.isEmpty());
});

test("DeliverySchedule has no room once the bytes in memory reach the window", () => {
  const schedule = new DeliverySchedule({ ...wide, bytes: 10 });
  const job = jobOf("a");
  schedule.add([job]);
  assert.equal(schedule.room(), 0);
  schedule.take();
  schedule.finish(job);
  assert.equal(schedule.room(), 1_000);
});

test("groupRecipients() keeps the order, splits by route and at the limit of a transaction", () => {
  const recipients = Array.from({ length: 250 }, (_, index) => ({ index, address: `${index}@x.test`, attempts: 1 }));
  const groups = groupRecipients(recipients, ({ index }) => (index % 5 === 0 ? "fifth" : "rest"));
  assert.deepEqual(
    groups.map((group) => [group.routeKey, group.recipients.length]),
    [
      ["fifth", 50],
      ["rest", recipientsPerTransaction],
      ["rest", recipientsPerTransaction],
    ],
  );
  assert.deepEqual(groups[0]?.recipients[1]?.index, 5);
});

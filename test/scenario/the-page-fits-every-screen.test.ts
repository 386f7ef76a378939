/** Local mode's page on a phone, a tablet's half and a laptop, in daylight and at night, and for who cannot see it. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { faultsOf } from "../support/accessibility.ts";
import { launchBrowser } from "../support/browser.ts";
import { type Gallery, openGallery } from "../support/pagegallery.ts";
import { gallery } from "../support/pagemail.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { lacking } from "../support/tools.ts";

const skip = lacking("chromium");

/** One for all tests of this file. */
let browser: Browser | undefined;
after(async () => browser?.close());

async function openShared(): Promise<Browser> {
  browser ??= await launchBrowser();
  return browser;
}
const attempts = 12;
const [receiptId, noticeId, patienceId] = ["0mwwpbtf4aaaaaaaaaaaa", "0mwwpbtf4cccccccccccc", "0mwwpbtf4dddddddddddd"];
const [bouncedId, waitingId] = ["0mwwpbtf4bbbbbbbbbbbb", "0mwwpbtf4eeeeeeeeeeee"];
const [endless] = gallery.flatMap(({ subject }) => (subject.startsWith("Donau") ? [subject] : []));

const widths = [320, 390, 1280];
const schemes = ["light", "dark"] as const;

function at(second: number): string {
  return new Date(Date.UTC(2026, 10, 28, 8, 0, second)).toISOString();
}

/** What relays told of the messages: one that arrived, one that was tried often, one that bounced, one that waits, two that were refused. */
function tellStories({ tell }: Gallery): void {
  const event = (msg: string, spoolId: string | undefined, fields: Readonly<Record<string, unknown>> = {}): void =>
    tell({ msg, time: at(1), spoolId, domain: "example.com", recipientDomain: "example.net", ...fields });
  event("accepted", receiptId, { listener: "submission" });
  event("delivered", receiptId, { time: at(2), code: 250, enhanced: "2.6.0", reply: "250 2.6.0 taken", attempt: 1 });
  tellHops(tell, { spoolId: receiptId, attempt: 1, outcome: "delivered" });
  event("accepted", patienceId, { listener: "submission" });
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const isLast = attempt === attempts;
    const reply = isLast
      ? { code: 250, reply: "250 2.6.0 taken" }
      : { code: 451, enhanced: "4.3.0", reply: "451 4.3.0 not now" };
    event(isLast ? "delivered" : "deferred", patienceId, { ...reply, attempt, time: at(attempt * 4) });
    tellHops(tell, { spoolId: patienceId, attempt, outcome: isLast ? "delivered" : "deferred" });
  }
  event("accepted", bouncedId);
  event("failed", bouncedId, {
    time: at(2),
    code: 550,
    enhanced: "5.1.1",
    reply: "550 5.1.1 no such user",
    attempt: 1,
  });
  event("bounced", bouncedId, { time: at(3), noticeId });
  event("accepted", waitingId);
  const dueAt = new Date(Date.now() + 3_600_000).toISOString();
  event("deferred", waitingId, { code: 451, reply: "451 4.3.0 not now", attempt: 1, dueAt });
  event("refused", undefined, { listener: "smtp", code: 452, enhanced: "4.3.1", reply: "452 4.3.1 no room" });
  event("refused", undefined, { listener: "smtp", code: 550, enhanced: "5.7.1", reply: "550 5.7.1 log in first" });
}

function tellHops(tell: Gallery["tell"], hop: { spoolId: string; attempt: number; outcome: string }): void {
  const { spoolId, attempt, outcome } = hop;
  const traceId = `${spoolId.slice(-4)}${String(attempt).padStart(28, "0")}`;
  const startMs = Date.parse(at(attempt * 4));
  const isDeferred = outcome === "deferred";
  const span = (id: string, name: string, fields: Readonly<Record<string, unknown>>): void =>
    tell({
      msg: "span",
      traceId,
      spanId: `${id}${spoolId.slice(-4)}${String(attempt).padStart(8, "0")}`.padStart(16, "0"),
      name,
      kind: "INTERNAL",
      startMs,
      endMs: startMs + 20,
      status: { code: isDeferred ? "ERROR" : "UNSET" },
      ...fields,
    });
  const link = { "mailboat.spool.id": spoolId };
  span("a", "mail.deliver", { attributes: { ...link, "mailboat.attempt": attempt, "mailboat.outcome": outcome } });
  const reply = { "server.address": "127.0.0.1", "server.port": 2525, "smtp.reply.code": isDeferred ? 451 : 250 };
  span("b", "smtp.send", { startMs: startMs + 5, attributes: { ...link, ...reply } });
}

interface Screen {
  readonly gallery: Gallery;
  readonly width: number;
}

async function openAt(t: TestContext, { gallery: { address }, width }: Screen): Promise<Page> {
  const window = await (await openShared()).newContext({ viewport: { width, height: 800 }, colorScheme: "light" });
  t.after(() => window.close());
  const page = await window.newPage();
  page.on("pageerror", (error) => assert.ifError(error));
  await page.goto(address);
  await page.locator("#live.on").waitFor();
  await page.locator("#list li").first().waitFor();
  return page;
}

/** What reaches beyond the window, or makes something scroll sideways. */
const overflowing = `(() => {
  const beyond = [...document.querySelectorAll("body *")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && !one.closest(".unseen, .skips") && (box.right > innerWidth + 0.5 || box.left < -0.5);
  });
  const scrolling = ["html", "body", "#list", "#shown", "#message"].filter((selector) => {
    const one = document.querySelector(selector);
    return one.scrollWidth > one.clientWidth;
  });
  return [...beyond.map((one) => one.outerHTML.slice(0, 120)), ...scrolling];
})()`;

async function fits(page: Page, what: string): Promise<void> {
  assert.deepEqual(await page.evaluate(overflowing), [], `${what} is too wide`);
}

function rowOf(page: Page, subject: string) {
  return page.locator("#list li").filter({ has: page.locator(".subject", { hasText: subject }) });
}

async function openMessage(page: Page, subject: string): Promise<void> {
  await rowOf(page, subject).first().locator("a").click();
  await page.locator("#message h2", { hasText: subject }).waitFor();
}

async function startGallery(t: TestContext, name: string): Promise<{ shown: Gallery; directory: string }> {
  const directory = makeResultsDirectory(import.meta.url, name);
  const shown = await openGallery(t, { stateDirectory: join(directory, "state"), mails: gallery });
  tellStories(shown);
  return { shown, directory };
}

const subjects = [
  "Your receipt 2041",
  endless ?? "",
  "Newsletter",
  "Quarterly figures",
  "Your message could not be delivered",
  "Your parcel is waiting",
  "Patience",
  "(has not arrived yet)",
  "Refused at the door",
];

const pictured = ["Your receipt 2041", "Patience", "Newsletter", endless ?? ""];

test("nothing is wider than the screen, at three widths; so it looks by day and by night", { skip }, async (t) => {
  const { shown, directory } = await startGallery(t, "screens");
  const page = await openAt(t, { gallery: shown, width: 320 });
  await rowOf(page, "Patience").getByText("12 attempts").waitFor();
  for (const width of widths) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto(shown.address);
    await page.locator("#list li").first().waitFor();
    const where = `${width} px`;
    const picture = async (what: string): Promise<void> => {
      for (const colorScheme of schemes) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(directory, `${what}-${width}-${colorScheme}.png`) });
      }
    };
    await fits(page, `the list at ${where}`);
    await picture("list");
    for (const subject of subjects) {
      await openMessage(page, subject);
      if (subject === "Your receipt 2041") await page.frameLocator("iframe").getByText("leaves tomorrow").waitFor();
      await fits(page, `${subject} at ${where}`);
      if (pictured.includes(subject)) await picture(subject.replaceAll(/\W+/g, "-").slice(0, 20));
      // What fits the narrowest screen wraps, and wraps on others, too.
      if (width === widths[0]) await unfold(page, subject);
      if (await page.locator("#back").isVisible()) await page.locator("#back").click();
    }
    await page.locator("#showkeys").click();
    await fits(page, `the keys at ${where}`);
    await page.keyboard.press("Escape");
    await page.locator("#filter").fill(`nothing-${"x".repeat(120)}`);
    await page.getByText("No message matches").waitFor();
    await fits(page, `no result at ${where}`);
  }
});

/** Every tab, and whatever is folded. */
async function unfold(page: Page, subject: string): Promise<void> {
  for (const tab of (await page.locator(".tabs button").all()).toReversed()) {
    await tab.click();
    await page.locator("[role=tabpanel] > *").first().waitFor();
    await fits(page, `${subject}, ${await tab.innerText()}`);
  }
  await page.evaluate("document.querySelectorAll('#message details').forEach((one) => { one.open = true })");
  await fits(page, `${subject} unfolded`);
}

test("on a phone there is the list or a message, and a way back", { skip }, async (t) => {
  const { shown } = await startGallery(t, "phone");
  const page = await openAt(t, { gallery: shown, width: 390 });
  await openMessage(page, "Your receipt 2041");
  assert.equal(await page.locator("#list").isVisible(), false);
  assert.equal(await page.locator("#filter").isVisible(), false);
  await page.locator("#back").click();
  await page.locator("#list").waitFor();
  assert.equal(await page.locator("#shown").isVisible(), false);
  // The page's way back is the browser's own, so that its way forward leads to the message again.
  await page.goForward();
  await page.locator("#message h2", { hasText: "Your receipt 2041" }).waitFor();
  await page.locator("#back").click();
  await page.locator("#list").waitFor();

  await openMessage(page, "Quarterly figures");
  await page.locator("#older").click();
  await page.locator("#message h2", { hasText: "Newsletter" }).waitFor();
  await page.goBack();
  await page.locator("#list").waitFor();
  assert.equal(await page.locator("#shown").isVisible(), false, "one step back is the list, however many were read");
  await page.goForward();
  await page.locator("#message h2").waitFor();
  // Who comes by a link to a message has a way to the list, too.
  await page.reload();
  await page.locator("#message h2", { hasText: "Newsletter" }).waitFor();
  await page.locator("#back").click();
  await page.locator("#list").waitFor();
  await page.locator("#home").click();
  await page.getByText("Recipients that behave as they are called").waitFor();
  await fits(page, "what there is to try");
});

test("the content comes first; attempts are folded but the first and the last", { skip }, async (t) => {
  const { shown } = await startGallery(t, "order");
  const page = await openAt(t, { gallery: shown, width: 1280 });
  await openMessage(page, "Patience");
  const top = async (selector: string): Promise<number> => (await page.locator(selector).boundingBox())?.y ?? -1;
  assert.ok((await top(".copy")) < (await top(".happened")), "the content is above what happened");
  assert.ok((await top(".happened")) < (await top(".waterfall")), "what happened is above the hops");
  const visible = async (selector: string): Promise<number> => page.locator(selector).filter({ visible: true }).count();
  assert.equal(await visible(".trace"), 2);
  await page.locator(".waterfall summary", { hasText: "10 attempts between" }).click();
  assert.equal(await visible(".trace"), attempts);
  assert.deepEqual(await page.locator(".steps .mark").filter({ visible: true }).allInnerTexts(), [
    "accepted",
    "delivered",
  ]);
  await page.locator(".happened summary").click();
  const steps = page.locator(".steps .mark", { hasText: "deferred" });
  assert.equal(await steps.count(), attempts - 1);
  // A 4xx is no failure, neither in words nor in the waterfall.
  assert.equal(await page.locator(".steps .mark.bad, .track .bad").count(), 0);
  assert.equal(await page.locator(".track .warning").count(), (attempts - 1) * 2);
  // It is drawn anew while it is shown: what was unfolded stays so.
  shown.tell({
    msg: "delivered",
    time: at(99),
    spoolId: patienceId,
    recipientDomain: "example.net",
    code: 250,
    attempt: 13,
  });
  await page.locator("#message .head").getByText("13 attempts").waitFor();
  assert.equal(await page.locator(".happened details").getAttribute("open"), "");
});

test("each kind of message says what it is", { skip }, async (t) => {
  const { shown } = await startGallery(t, "kinds");
  const page = await openAt(t, { gallery: shown, width: 1280 });
  const notice = rowOf(page, "Your message could not be delivered");
  assert.equal(await notice.locator(".people").innerText(), "about “Your parcel is waiting” to refuse@example.net");
  assert.deepEqual(await notice.locator(".mark").allInnerTexts(), ["notice", "failed", "DKIM pass"]);
  assert.equal(await notice.locator(".mark.good", { hasText: "delivered" }).count(), 0);
  assert.equal(
    await rowOf(page, "Refused")
      .locator(".mark.warning", { hasText: /^refused for now$/ })
      .count(),
    1,
  );
  assert.equal(
    await rowOf(page, "Refused")
      .locator(".mark.bad", { hasText: /^refused$/ })
      .count(),
    1,
  );
  assert.match(await rowOf(page, "An older one").locator("time").innerText(), /^24 Dec 2025 \d\d:\d\d:\d\d$/);
  assert.match(await rowOf(page, "Newsletter").locator("time").innerText(), /^28 Nov(?: 2026)? \d\d:\d\d:\d\d$/);
  assert.match(await rowOf(page, "Newsletter").locator(".people").innerText(), /and 48 more$/);

  await openMessage(page, "Quarterly figures");
  const envelope = page.locator(".envelope");
  assert.deepEqual(await envelope.locator("dt").allInnerTexts(), ["From", "To", "Cc", "Bcc", "Date", "Size"]);
  assert.deepEqual((await envelope.locator("dd").allInnerTexts()).slice(1, 4), [
    "anna@example.net",
    "carl@example.net",
    "boss@example.org",
  ]);
  await openMessage(page, "Newsletter");
  await page.locator(".envelope summary", { hasText: "and 46 more" }).waitFor();
  assert.equal(await page.locator(".envelope dd").nth(1).innerText(), "readers@example.net (in the header only)");

  await openMessage(page, "Your receipt 2041");
  const frame = page.frameLocator("iframe");
  await frame.getByText("leaves tomorrow").waitFor();
  assert.doesNotMatch(await frame.locator("body").innerText(), /jsonld|script words/);
  const content = "getComputedStyle(document.querySelector('img[alt=Logo]')).content";
  assert.match(String(await frame.locator("body").evaluate(content)), /^url\("data:image\/svg\+xml,.*blocked/);
  const links = page.locator(".links li");
  assert.deepEqual(await links.allInnerTexts(), [
    "follow it https://shop.example.com/orders/2041?utm_source=mail&utm_campaign=a-rather-long-campaign-name-without-any-end",
    "https://shop.example.com/help",
  ]);
  const width = async (): Promise<number> => (await page.locator("iframe").boundingBox())?.width ?? 0;
  assert.ok((await width()) > 500);
  await page.getByRole("button", { name: "Phone" }).click();
  assert.equal(await width(), 375);
  await page.getByRole("tab", { name: "Text" }).click();
  await page.locator(".copy pre", { hasText: "leaves tomorrow" }).waitFor();
  assert.doesNotMatch(await page.locator(".copy pre").innerText(), /jsonld|script words/);
  await page.getByRole("tab", { name: "Source" }).click();
  const saved = page.waitForEvent("download");
  await page.getByRole("link", { name: "Save as a file" }).click();
  assert.match((await saved).suggestedFilename(), /\.eml$/);

  const icon = (await page.locator("link[rel=icon]").getAttribute("href")) ?? "";
  const answer = await fetch(new URL(icon, shown.address));
  assert.equal(answer.headers.get("content-type"), "image/svg+xml");
  assert.match(await answer.text(), /^<svg /);
});

test("a file that was deleted on disk is gone from the page, in words", { skip }, async (t) => {
  const { shown } = await startGallery(t, "gone");
  const page = await openAt(t, { gallery: shown, width: 1280 });
  await openMessage(page, "Newsletter");
  await page.locator(".copy pre", { hasText: "Hello" }).waitFor();
  const detail = (await (await fetch(`${shown.address}api/messages`)).json()) as { id: string; subject?: string }[];
  const { id = "" } = detail.find(({ subject }) => subject === "Newsletter") ?? {};
  rmSync(join(shown.captured, id));
  await rowOf(page, "Newsletter").getByText("deleted from disk").waitFor();
  await page.locator(".copy", { hasText: /deleted/ }).waitFor();
});

test(
  "an accessibility scan finds nothing: list, message, no message; wide, narrow; by day, by night",
  { skip },
  async (t) => {
    const { shown, directory } = await startGallery(t, "scan");
    const empty = await openGallery(t, { stateDirectory: join(directory, "empty"), mails: [] });
    const page = await openAt(t, { gallery: shown, width: 1280 });
    const scan = async (what: string): Promise<void> => assert.deepEqual(await faultsOf(page), [], what);
    await openMessage(page, "Your message could not be delivered");
    await scan("a notice, beside the list");
    await openMessage(page, "Patience");
    await page.emulateMedia({ colorScheme: "dark" });
    await scan("a message with hops, by night");
    await openMessage(page, "Your receipt 2041");
    await page.setViewportSize({ width: 320, height: 800 });
    await scan("HTML on a phone, by night");
    await page.locator("#back").click();
    await page.emulateMedia({ colorScheme: "light" });
    await scan("the list on a phone");
    await page.locator("#filter").fill("nothing of that kind");
    await page.getByText("No message matches").waitFor();
    await page.locator("#showkeys").click();
    await scan("no result and the keys on a phone");
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(empty.address);
    await page.locator("#live.on").waitFor();
    await scan("the empty page");
    // The scanner sees what there is to see.
    await page.evaluate(`(() => {
    const place = document.querySelector("#nothing");
    place.innerHTML = "<img src=x><p>pale</p><button></button>";
    place.children[1].style.color = "#888888";
  })()`);
    assert.ok((await faultsOf(page)).length >= 3, "the control");
  },
);

/** Local mode's page without a mouse: 551 messages, five keys. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test, type TestContext } from "node:test";
import type { Browser, Page } from "playwright-core";
import { spoolOf } from "../../local/page/spoolpeek.ts";
import { launchBrowser, openWindow } from "../support/browser.ts";
import { type Gallery, openGallery } from "../support/pagegallery.ts";
import type { Mail } from "../support/pagemail.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

const skip = lacking("chromium");

/** One for all tests of this file. */
let browser: Browser | undefined;
after(async () => browser?.close());

async function openShared(): Promise<Browser> {
  browser ??= await launchBrowser();
  return browser;
}
const many = 551;
const mails = Array.from({ length: many }, (_, index) => ({
  subject: `Message ${index + 1}`,
  to: [`reader-${index + 1}@example.net`],
  text: index % 200 === 7 ? "A needle lies in this one.\n" : "Hay.\n",
}));

interface Stage {
  readonly page: Page;
  readonly shown: Gallery;
  readonly directory: string;
}

function openMany(t: TestContext, name: string, count = many): Promise<Stage> {
  return openMails(t, name, mails.slice(0, count));
}

async function openMails(t: TestContext, name: string, shownMails: readonly Mail[]): Promise<Stage> {
  const directory = join(makeResultsDirectory(import.meta.url, name), "state");
  const shown = await openGallery(t, { stateDirectory: directory, mails: shownMails });
  const window = await openWindow(await openShared());
  t.after(() => window.close());
  const page = await window.newPage();
  page.on("pageerror", (error) => assert.ifError(error));
  await page.goto(shown.address);
  await page
    .locator("#list li")
    .nth(shownMails.length - 1)
    .waitFor();
  return { page, shown, directory };
}

/** Subject of the row that has the focus, or the text of what else has it. */
async function focused(page: Page): Promise<string> {
  const text = await page.evaluate(
    "(document.activeElement.querySelector('.subject') ?? document.activeElement).textContent",
  );
  return String(text).replace(/^Unread: /, "");
}

async function press(page: Page, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

async function opened(page: Page, subject: string): Promise<void> {
  await page.locator("#message h2", { hasText: new RegExp(`^${subject}$`) }).waitFor();
}

test("551 messages are reached with the arrows, PageDown, Home, End and Enter", { skip }, async (t) => {
  const { page } = await openMany(t, "reach");
  // The list is one stop of Tab, behind a link that skips to it.
  await press(page, "Tab");
  assert.equal(await focused(page), "Skip to the list of messages");
  await press(page, "Enter");
  assert.equal(await focused(page), "Message 551");
  assert.equal(await page.locator("#list [tabindex='0']").count(), 1);
  await press(page, "End", "Enter");
  await opened(page, "Message 1");
  await until("the focus in the message", async () => (await focused(page)) === "Message 1");
  assert.equal(await page.evaluate("document.activeElement.tagName"), "H2");
  await press(page, "Escape");
  assert.equal(await page.evaluate("document.activeElement.closest('#list') !== null"), true);
  assert.equal(await focused(page), "Message 1");

  await press(page, "Home");
  assert.equal(await focused(page), "Message 551");
  await press(page, "ArrowDown", "ArrowDown", "ArrowUp");
  assert.equal(await focused(page), "Message 550");
  await press(page, "PageDown", "PageUp");
  assert.equal(await focused(page), "Message 550");
  await opened(page, "Message 1");
  const seen = [await focused(page)];
  for (let presses = 0; seen.at(-1) !== "Message 1"; presses += 1) {
    assert.ok(presses < 120, "PageDown does not reach the end");
    await press(page, "PageDown");
    seen.push(await focused(page));
    const isSeen = await page.evaluate(`(() => {
      const [row, list] = [document.activeElement, document.querySelector("#list")].map((one) => one.getBoundingClientRect());
      return row.top >= list.top - 1 && row.bottom <= list.bottom + 1;
    })()`);
    assert.equal(isSeen, true, "the row with the focus is out of sight");
  }
  // Each page is a real page: no row is jumped over unseen.
  assert.ok(seen.length > 551 / 15, `${seen.length} pages`);
  assert.equal(await page.locator("#list [tabindex='0']").count(), 1);
  await press(page, "k");
  await opened(page, "Message 2");
  assert.equal(await focused(page), "Message 2");
  await press(page, "j");
  await opened(page, "Message 1");
});

test("the search looks into the text, counts what it left, and says when nothing is left", { skip }, async (t) => {
  const { page } = await openMany(t, "search");
  await page.locator("#count", { hasText: "551 messages, 551 unread" }).waitFor();
  await press(page, "/");
  await page.keyboard.type("needle");
  await page.locator("#count", { hasText: /^3 of 551$/ }).waitFor();
  assert.deepEqual(
    await page.locator("#list .subject").allTextContents(),
    ["Message 408", "Message 208", "Message 8"].map((subject) => `Unread: ${subject}`),
  );
  await press(page, "Enter");
  assert.equal(await focused(page), "Message 408");
  await press(page, "ArrowDown", "Enter");
  await opened(page, "Message 208");
  await press(page, "/");
  await page.keyboard.type("reader-551@ is:unread");
  await page.locator("#count", { hasText: /^1 of 551$/ }).waitFor();
  await press(page, "/");
  await page.keyboard.press("Control+a");
  await page.keyboard.type("nowhere to be found");
  await page.getByText("No message matches “nowhere to be found”.").waitFor();
  await page.locator("#count", { hasText: /^0 of 551$/ }).waitFor();
  await press(page, "Escape");
  await page.locator("#list li").nth(550).waitFor();
  assert.equal(await page.locator("#filter").inputValue(), "");
  assert.equal(await page.evaluate("document.activeElement.closest('#list') !== null"), true);
});

test("who reads is not disturbed by what arrives", { skip }, async (t) => {
  const { page, shown } = await openMany(t, "arrivals", 60);
  await press(page, "End", "ArrowUp", "Enter");
  await opened(page, "Message 2");
  await press(page, "Escape");
  await page.getByRole("tab", { name: "Source" }).click();
  await page.locator(".copy pre").waitFor();
  await page.locator("#list a[aria-current]").focus();
  const state = `(() => {
    window.source ??= document.querySelector(".copy pre");
    return {
      top: Math.round(document.querySelector("#list a[aria-current]").getBoundingClientRect().top / 2),
      isSame: window.source.isConnected,
      focus: document.activeElement.getAttribute("href"),
    };
  })()`;
  const before = await page.evaluate(state);
  const time = new Date().toISOString();
  for (const spoolId of ["0mwwpbtf4aaaaaaaaaaaa", "0mwwpbtf4bbbbbbbbbbbb"])
    shown.tell({ msg: "accepted", time, spoolId, domain: "example.com", recipientDomain: "example.net" });
  await page.locator("#count", { hasText: "62 messages" }).waitFor();
  assert.deepEqual(await page.evaluate(state), before);
});

test("what was read is marked, there and after a restart", { skip }, async (t) => {
  const { page } = await openMany(t, "unread", 5);
  await page.locator("#count", { hasText: "5 messages, 5 unread" }).waitFor();
  assert.equal(await page.title(), "(5) Mailboat");
  await press(page, "ArrowDown", "Enter");
  await opened(page, "Message 5");
  await page.locator("#count", { hasText: "5 messages, 4 unread" }).waitFor();
  assert.equal(await page.title(), "(4) Message 5 · Mailboat");
  await page.reload();
  await page.locator("#count", { hasText: "5 messages, 4 unread" }).waitFor();
  await press(page, "u");
  await page.locator("#count", { hasText: "5 messages, 5 unread" }).waitFor();
  await page.locator("#filter").fill("reader-1@");
  await page.locator("#count", { hasText: /^1 of 5$/ }).waitFor();
  await page.getByRole("button", { name: "Mark these read" }).click();
  await page.locator("#filter").fill("");
  await page.locator("#count", { hasText: "5 messages, 4 unread" }).waitFor();
  await page.getByRole("button", { name: "Mark all read" }).click();
  await page.locator("#count", { hasText: /^5 messages$/ }).waitFor();
  assert.equal(await page.locator("#list a.unread").count(), 0);
});

test(
  "# and Delete delete one message, asking first; a button all of them, or those that were found",
  { skip },
  async (t) => {
    const { page, shown } = await openMany(t, "delete", 20);
    const files = (): number => readdirSync(shown.captured).filter((name) => name.endsWith(".eml")).length;
    await press(page, "ArrowDown", "ArrowDown", "#");
    await page.getByText("Delete “Message 19”?").waitFor();
    await press(page, "Escape");
    assert.equal(await page.locator("#list li").count(), 20, "Escape is a no");
    assert.equal(await focused(page), "Message 19");
    await press(page, "Delete", "Enter");
    await page.locator("#count", { hasText: "19 messages" }).waitFor();
    assert.equal(files(), 19);
    assert.equal(await focused(page), "Message 18", "the focus stays where it was");
    await press(page, "Enter");
    await opened(page, "Message 18");
    await press(page, "#", "Enter");
    await page.locator("#count", { hasText: "18 messages" }).waitFor();
    assert.equal(await page.locator("#message h2", { hasText: "Message 18" }).count(), 0);
    assert.equal(await focused(page), "Message 17");

    await page.locator("#filter").fill("needle");
    await page.locator("#count", { hasText: /^1 of 18$/ }).waitFor();
    await page.getByRole("button", { name: "Delete these 1" }).click();
    await press(page, "Enter");
    await page.locator("#count", { hasText: "17 messages" }).waitFor();
    assert.equal(await page.locator(".subject", { hasText: /Message 8$/ }).count(), 0);
    // Another page that is open sees it, too.
    const other = await page.context().newPage();
    await other.goto(shown.address);
    await other.locator("#list li").nth(16).waitFor();
    await page.getByRole("button", { name: "Delete all" }).click();
    await page.getByText("Delete all messages, 17 now and any that arrive until you answer?").waitFor();
    await press(page, "Enter");
    for (const one of [page, other]) await one.getByText("No message yet.").waitFor();
    assert.equal(files(), 0);
  },
);

test("when another page deletes the row with the focus, its neighbour has it", { skip }, async (t) => {
  const { page, shown } = await openMany(t, "elsewhere", 5);
  const other = await page.context().newPage();
  await other.goto(shown.address);
  await press(page, "ArrowDown", "ArrowDown");
  const below = ["Message 4", "Message 3"] as const;
  for (const [index, subject] of below.entries()) {
    assert.equal(await focused(page), subject);
    await other.locator("#list a", { hasText: subject }).click();
    await opened(other, subject);
    await press(other, "#", "Enter");
    await page.locator("#count", { hasText: `${4 - index} messages` }).waitFor();
  }
  assert.equal(await focused(page), "Message 2");
  await press(page, "ArrowUp");
  assert.equal(await focused(page), "Message 5");
});

test(
  "of what was found some wait, and some another page deletes meanwhile: each is told as it is",
  { skip },
  async (t) => {
    const spoolIds = ["0mwwpbtf46f4046a3f5fe", "0mwwpbtg17fffc9dbc39f", "0mwwpbtl3869de2b77610"] as const;
    const threeMails = spoolIds.map((spoolId, index) => ({ ...(mails[index] ?? assert.fail()), spoolId }));
    const { page, directory } = await openMails(t, "found", threeMails);
    const spool = spoolOf(directory, "mail.outbound-0");
    mkdirSync(spool, { recursive: true });
    const database = new DatabaseSync(join(spool, "spool.db"));
    database.exec(`CREATE TABLE message (id TEXT); INSERT INTO message VALUES ('${spoolIds[0]}')`);
    database.close();
    await page.locator("#filter").fill("message");
    await page.locator("#count", { hasText: /^3 of 3$/ }).waitFor();
    await page.getByRole("button", { name: "Delete these 3" }).click();
    await page.getByText("Delete the 3 messages found?").waitFor();
    const status = await page.evaluate(`fetch("/api/messages/${spoolIds[1]}", {
    method: "DELETE",
    headers: { "x-mailboat-token": document.querySelector('meta[name="mailboat-token"]').content },
  }).then((answer) => answer.status)`);
    assert.equal(status, 200);
    await press(page, "Enter");
    await page.locator("#said", { hasText: /^1 message deleted; 1 waiting in a spool stayed\.$/ }).waitFor();
    assert.deepEqual(await page.locator("#list .subject").allTextContents(), ["Unread: Message 1"]);
  },
);

test("? tells the keys, and the page stays usable when its server was started anew", { skip }, async (t) => {
  const { page, shown, directory } = await openMany(t, "keys", 3);
  await press(page, "?");
  const table = page.getByRole("dialog", { name: "Keys" });
  await table.getByText("PageUp PageDown Home End").waitFor();
  await press(page, "j");
  assert.equal(
    await page.locator("#message h2", { hasText: "Message" }).filter({ hasText: /\d/ }).count(),
    0,
    "keys are the dialog's",
  );
  await press(page, "Escape");
  assert.equal(await table.isVisible(), false);

  const { port } = shown.page;
  await shown.close();
  await page.locator("#live", { hasText: "local mode is away" }).waitFor();
  await press(page, "ArrowDown", "#", "Enter");
  await page.locator("#said", { hasText: "Local mode is away: start it again with make run." }).waitFor();
  await openGallery(t, { stateDirectory: directory, mails: [], port });
  await page.locator("#live.on").waitFor();
  // Its token is another one now.
  await press(page, "#", "Enter");
  await page.locator("#count", { hasText: "2 messages" }).waitFor();
});

/** Local mode's page in a real browser: live, whole, and safe from what it shows. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Page } from "playwright-core";
import { openBrowser, openWindow } from "../support/browser.ts";
import { LocalMode, localLogin, localManifests } from "../support/local.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

const skip = lacking("chromium");
const sender = "shop@example.com";
const hops = ["smtp.receive", "mail.spool", "mail.deliver", "mail.sign", "smtp.send"];

async function startLocal(t: TestContext, name: string): Promise<LocalMode> {
  const directory = makeResultsDirectory(import.meta.url, name);
  const local = await LocalMode.start({ directory, manifests: localManifests() });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  return local;
}

async function openPage(t: TestContext, local: LocalMode): Promise<Page> {
  const window = await openWindow(await openBrowser(t));
  const page = await window.newPage();
  page.on("pageerror", (error) => assert.ifError(error));
  await page.goto(local.page);
  await page.locator("#live.on").waitFor();
  return page;
}

async function send(local: LocalMode, recipients: readonly string[], message: string): Promise<void> {
  const client = await openSession({ name: "submission", port: local.port("submission") }, localLogin);
  const reply = await client.send(sender, recipients, Buffer.from(message.replaceAll(/\r?\n/g, "\r\n"), "utf8"));
  assert.equal(reply.code, 250, reply.text);
  client.destroy();
}

function rowOf(page: Page, subject: string) {
  return page.locator("#list li").filter({ has: page.locator(".subject", { hasText: subject }) });
}

function multipart(subject: string, html: string, parts: readonly string[] = []): string {
  const body = [`Content-Type: text/html; charset=utf-8\n\n${html}\n`, ...parts].join("\n--border\n");
  const head = `From: Shop <${sender}>\nTo: anna@example.net\nSubject: ${subject}\nMIME-Version: 1.0`;
  return `${head}\nContent-Type: multipart/mixed; boundary=border\n\n--border\n${body}\n--border--\n`;
}

test("a message appears without a reload, with its hops, its verdict and its attachments", { skip }, async (t) => {
  const local = await startLocal(t, "live");
  const page = await openPage(t, local);
  assert.equal(await page.locator("#list li").count(), 0);
  await page.evaluate("window.stays = true");

  const attachments = [
    "Content-Type: text/plain; name=note.txt\nContent-Disposition: attachment; filename=note.txt\n\nread me\n",
    "Content-Type: image/svg+xml\nContent-Disposition: attachment; filename=evil.svg\n\n<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>\n",
    "Content-Type: text/html\nContent-Disposition: attachment; filename=evil.html\n\n<script>document.title = 'taken'</script>\n",
  ];
  await send(local, ["anna@example.net"], multipart("Receipt", "<h1>Thank you</h1>", attachments));
  await rowOf(page, "Receipt").getByText("delivered").waitFor();
  await rowOf(page, "Receipt").getByText("DKIM pass").waitFor();
  await rowOf(page, "Receipt").locator("a").click();

  await page.locator(".waterfall").getByText("smtp.send").waitFor();
  assert.deepEqual(await page.locator(".hops th").allInnerTexts(), hops);
  const bars = await page.locator(".hops .track i").all();
  assert.equal(bars.length, hops.length);
  for (const bar of bars) {
    const box = await bar.boundingBox();
    assert.ok(box !== null && box.width > 0, "a bar without width");
  }
  assert.equal(await page.frameLocator("iframe").locator("h1").innerText(), "Thank you");

  await page.getByRole("tab", { name: "DKIM" }).click();
  assert.deepEqual((await page.locator(".copy td .mark").allInnerTexts()).sort(), ["pass", "pass"]);
  await page.getByRole("tab", { name: "Headers" }).click();
  await page.locator(".copy th", { hasText: "Received" }).first().waitFor();
  await page.getByRole("tab", { name: "Source" }).click();
  await page.locator(".copy pre", { hasText: "DKIM-Signature:" }).waitFor();

  await page.getByRole("tab", { name: "Attachments (3)" }).click();
  const opened = page.context().waitForEvent("page");
  await page.getByRole("link", { name: "open" }).click();
  assert.equal((await (await opened).locator("body").innerText()).trim(), "read me");
  for (const [index, name] of ["note.txt", "evil.svg", "evil.html"].entries()) {
    const saved = page.waitForEvent("download");
    await page.getByRole("link", { name: "save" }).nth(index).click();
    assert.equal((await saved).suggestedFilename(), name);
  }
  for (const link of await page.getByRole("link", { name: "save" }).all()) {
    const address = new URL((await link.getAttribute("href")) ?? "", local.page);
    // What is asked to be shown is saved all the same when a browser would run it.
    const response = await fetch(`${address.href}?show`);
    const isText = response.headers.get("content-type")?.startsWith("text/plain");
    assert.match(
      response.headers.get("content-disposition") ?? "",
      isText === true ? /^inline; filename="note/ : /^attachment/,
    );
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    assert.match(response.headers.get("content-security-policy") ?? "", /^sandbox; default-src 'none'/);
  }
  assert.equal(await page.evaluate("window.stays"), true);
});

test("a retry and a bounce are watched live, and are there after a restart", { skip }, async (t) => {
  const local = await startLocal(t, "retry");
  const page = await openPage(t, local);
  const plain = (subject: string): string => `From: ${sender}\nSubject: ${subject}\n\nHello\n`;
  await send(local, ["tempfail@example.net"], plain("Patient"));
  await rowOf(page, "Patient").locator(".mark", { hasText: /again/ }).waitFor();
  await rowOf(page, "Patient").getByText("tempfail@example.net").waitFor();
  await rowOf(page, "Patient").getByText("delivered").waitFor();
  await rowOf(page, "Patient").getByText("3 attempts").waitFor();
  await rowOf(page, "Patient").locator("a").click();
  await page.locator(".trace").nth(2).waitFor();
  assert.deepEqual(await page.locator(".steps .mark").allInnerTexts(), [
    "accepted",
    "deferred",
    "deferred",
    "delivered",
  ]);

  await send(local, ["anna@example.net", "refuse@example.net", "berta@example.net"], plain("One of three"));
  await rowOf(page, "One of three").getByText("partly bounced").waitFor();
  await rowOf(page, "One of three").locator("a").click();
  const notice = page.locator(".steps a");
  await notice.getByText("could not be delivered").waitFor();
  await notice.click();
  await page.locator(".head").getByText("notice of").waitFor();
  await page.locator(".copy pre", { hasText: "refuse@example.net" }).waitFor();
  assert.equal(await page.locator(".head a").innerText(), "One of three");

  const before = await page.locator("#list li").allInnerTexts();
  await local.program.kill("SIGINT");
  await page.locator("#live:not(.on)").waitFor();
  await local.startAgain();
  await page.locator("#live.on").waitFor();
  await until("the same list", async () => {
    const after = await page.locator("#list li").allInnerTexts();
    return JSON.stringify(after) === JSON.stringify(before);
  });
});

/** Counts whoever reaches it, by connection and by path. */
async function openTrap(t: TestContext): Promise<{ server: Server; address: string; hits: string[] }> {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(request.url ?? "");
    response.end("ok");
  });
  server.on("connection", () => hits.push("connection"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { server, address: `http://127.0.0.1:${port}`, hits };
}

function hostileHtml(trap: string): string {
  return `<html><head><title>taken</title><base href="${trap}/base/">
<meta http-equiv="refresh" content="0; url=${trap}/refresh"><meta http-equiv="Content-Security-Policy" content="default-src *">
<link rel="preconnect" href="${trap}"><link rel="dns-prefetch" href="${trap}"><link rel="prefetch" href="${trap}/prefetch">
<link rel="stylesheet" href="${trap}/sheet"><link rel="icon" href="${trap}/icon"><link rel="modulepreload" href="${trap}/module">
<style>@import "${trap}/import"; @font-face { font-family: f; src: url(${trap}/font) } body { background: url(${trap}/background); font-family: f }</style>
<script src="${trap}/script"></script><script>fetch("${trap}/fetch"); top.document.title = "taken"; top.location = "${trap}/top"</script></head>
<body onload="fetch('${trap}/onload')"><h1>Hostile</h1><img src="${trap}/img" srcset="${trap}/srcset 2x" onerror="top.document.title='taken'">
<img src="relative"><picture><source srcset="${trap}/picture"><img></picture><video src="${trap}/video" poster="${trap}/poster" autoplay></video>
<audio src="${trap}/audio" autoplay></audio><iframe src="${trap}/frame"></iframe><iframe srcdoc="<script>top.document.title='taken'</script>"></iframe>
<object data="${trap}/object"></object><embed src="${trap}/embed"><svg><image href="${trap}/svg"/><use href="${trap}/use#a"/><script>top.document.title="taken"</script></svg>
<svg><foreignObject><iframe src="${trap}/foreign"></iframe></foreignObject></svg><math><mtext><img src="${trap}/math"></mtext></math>
<form action="${trap}/form" id="f"><input name="a" autofocus onfocus="this.form.submit()"></form><input form="f" type="image" src="${trap}/input">
<table background="${trap}/table"><tr><td style="background-image: url('${trap}/cell')">x</td></tr></table>
<template shadowrootmode="open"><img src="${trap}/shadow"><script>top.document.title="taken"</script></template>
<!--><iframe src="${trap}/comment"></iframe--><textarea></textarea><iframe/src="${trap}/slash"></iframe></body></html>`;
}

test("hostile HTML neither runs nor reaches out, and hostile names are only text", { skip }, async (t) => {
  const local = await startLocal(t, "hostile");
  const page = await openPage(t, local);
  const trap = await openTrap(t);
  const title = `<img src=${trap.address}/subject onerror=document.title=1>`;
  const part = `Content-Type: text/plain\nContent-Disposition: attachment; filename="<img src=${trap.address}-name onerror=1>"\n\nx\n`;
  await send(local, ["anna@example.net"], multipart(title, hostileHtml(trap.address), [part]));
  await rowOf(page, "onerror").getByText("delivered").waitFor();
  await rowOf(page, "onerror").locator("a").click();
  await page.locator("h2", { hasText: title }).waitFor();
  assert.equal(await page.frameLocator("iframe").locator("h1").innerText(), "Hostile");
  await page.getByRole("tab", { name: /Attachments/ }).click();
  await page.locator(".copy th", { hasText: "onerror=1" }).waitFor();
  // The same document by itself, as who copies its address would see it.
  const { file } = await fileOf(local);
  const alone = await page.context().newPage();
  await alone.goto(`${local.page}messages/${file}/html`);
  assert.equal(await alone.locator("h1").innerText(), "Hostile");
  assert.match(await page.title(), /Mailboat/);

  // Another trap works, and whatever was under way to the first one before this has had its time.
  const control = await page.context().newPage();
  const caught = await openTrap(t);
  await control.setContent(`<iframe src="${caught.address}/frame"></iframe><img src="${caught.address}/img">`);
  await until("the control", () => caught.hits.includes("/frame") && caught.hits.includes("/img"));
  await control.close();
  assert.deepEqual(trap.hits, []);
});

async function fileOf(local: LocalMode): Promise<{ file: string }> {
  const [{ id } = { id: "" }] = (await (await fetch(`${local.page}api/messages`)).json()) as { id: string }[];
  const detail = (await (await fetch(`${local.page}api/messages/${id}`)).json()) as { copies: { file: string }[] };
  return detail.copies[0] ?? { file: "" };
}

test("the page answers to its own names only, and changes nothing for who has no token", async (t) => {
  const local = await startLocal(t, "names");
  const ask = async (path: string, headers: string, method = "GET"): Promise<string> => {
    const child = spawn("curl", [
      "-s",
      "-o",
      "-",
      "-D",
      "-",
      "-X",
      method,
      "-H",
      headers,
      `http://127.0.0.1:${local.port("page")}${path}`,
    ]);
    const chunks: string[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk.toString()));
    await once(child, "close");
    return chunks.join("");
  };
  assert.match(
    await ask("/", "Accept: */*"),
    /^HTTP\/1.1 200 [^]*content-security-policy: default-src 'none'; script-src (http:\/\/127\.0\.0\.1:\d+\/page\/); style-src \1; /,
  );
  // Only the page's own files can run: nothing else is sent as a script or a style, whatever it is called.
  assert.match(await ask("/page/main.js", "Accept: */*"), /^HTTP\/1.1 200 [^]*content-type: text\/javascript/);
  assert.match(await ask("/api/messages", "Host: evil.example"), /^HTTP\/1.1 421 /);
  assert.match(await ask("/", `Host: localhost.evil.example:${local.port("page")}`), /^HTTP\/1.1 421 /);
  for (const method of ["PUT", "PATCH", "OPTIONS", "TRACE"])
    assert.match(await ask("/api/messages", "Accept: */*", method), /^HTTP\/1.1 405 /);
  for (const method of ["POST", "DELETE"])
    assert.match(await ask("/api/messages", "Accept: */*", method), /^HTTP\/1.1 403 /);
  for (const path of [
    "/messages/..%2f..%2fports.json/source",
    "/messages/%2e%2e/source",
    "/messages/a.eml/source",
    "/api/messages/x",
    "/x",
    "/page/",
    "/page/page.html",
    "/page/shapes.ts",
    "/page/tsconfig.json",
    "/page/..%2fserver.ts",
    "/page/%2e%2e/server.ts",
    "/page/main.js/x",
  ])
    assert.match(await ask(path, "Accept: */*"), /^HTTP\/1.1 404 /);
});

test("make demo shows all of it; its screenshot is the one in README", { skip }, async (t) => {
  const local = await startLocal(t, "demo");
  const page = await openPage(t, local);
  const demo = spawn(process.execPath, ["local/main.ts", "demo", "--state", join(local.directory, "state")], {
    cwd: repositoryRoot,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said: string[] = [];
  demo.stdout.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const [code] = (await once(demo, "close")) as [number];
  const text = said.join("");
  assert.equal(code, 0, text);
  for (const words of [
    "Your receipt 2041",
    "bounced, 550 5.1.1",
    "partly bounced",
    "retrying",
    "delivered (attempt 3), DKIM pass",
  ])
    assert.ok(text.includes(words), `${words} is missing: ${text}`);
  await rowOf(page, "Grüße aus Köln").getByText("delivered").waitFor();
  assert.equal(await page.locator("#list .mark", { hasText: /^notice$/ }).count(), 2);
  await rowOf(page, "Your receipt 2041").locator("a").click();
  const frame = page.frameLocator("iframe");
  await frame.getByText("Thank you for your order").waitFor();
  await until("the picture within the HTML", async () => {
    const width = await frame
      .locator("img")
      .evaluate((image: unknown) => (image as { naturalWidth: number }).naturalWidth);
    return width === 96;
  });
  await page.locator(".waterfall").getByText("smtp.send").waitFor();
  await page.setViewportSize({ width: 1280, height: 1320 });
  await page.mouse.move(0, 0);
  await page.screenshot({ path: join(local.directory, "page.png") });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator("#back").click();
  await rowOf(page, "Your receipt 2041").waitFor();
  await page.screenshot({ path: join(local.directory, "page-phone.png") });
  for (const name of ["page.png", "page-phone.png"]) {
    const picture = join(local.directory, name);
    assert.ok((await readFile(picture)).length > 20_000);
    const pictures = process.env["MAILBOAT_PICTURES"];
    if (pictures !== undefined) copyFileSync(picture, join(repositoryRoot, pictures, name));
  }
});

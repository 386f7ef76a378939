/** Debian's Chromium, without a window, and with nothing of its own to say to the network. */
import type { TestContext } from "node:test";
import { type Browser, type BrowserContext, chromium } from "playwright-core";

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function openBrowser(t: TestContext): Promise<Browser> {
  const browser = await launchBrowser();
  t.after(() => browser.close());
  return browser;
}

/** For a file whose tests share one, each with windows of its own: it closes the browser in the end. */
export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
}

/** A window of its own, with the size of a small laptop's screen. */
export async function openWindow(browser: Browser, scheme: "light" | "dark" = "light"): Promise<BrowserContext> {
  return browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: scheme, acceptDownloads: true });
}

/**
 * Captured mail as pages for a browser that `kubectl port-forward` leads here. Pure: mail in, HTML out. Whoever wrote the mail is not
 * trusted: everything of it is text, there is no script, and the policy that goes with each page would let none run.
 */
import { createHash } from "node:crypto";
import type { CapturedMail, CapturedMessage } from "../spool/queue.ts";
import { counted, elapsed } from "./figures.ts";

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .6rem; background: #8881; }
`;

/** For every answer. */
export const headers = {
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** Octets of a message that are shown; all of it is in the file. */
const shownOctets = 256 * 1024;

export function listPage(mails: readonly CapturedMail[], most: number, now: number): string {
  const rows = mails.map(
    ({ row, capturedAt, from, domain, to, subject }) =>
      `<tr><td>${elapsed(now - capturedAt)}</td><td>${text(from === "" ? `${domain} (notice)` : from)}</td><td>${text(to.join(", "))}</td>` +
      `<td><a href="/message?row=${row}">${text(subject.trim() === "" ? "(no subject)" : subject)}</a></td></tr>`,
  );
  const table =
    rows.length === 0
      ? "<p>No captured mail is here. Each pod has its own.</p>"
      : `<table><thead><tr><th>Age</th><th>From</th><th>To</th><th>Subject</th></tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
  const part = mails.length >= most ? `the newest ${most} messages` : counted(mails.length, "message");
  return page("Captured mail", `<h1>Captured mail</h1><p>${part}; delivery.mode keeps them from leaving.</p>${table}`);
}

export function messagePage({ mail, octets }: CapturedMessage): string {
  const { row, id, from, to, subject, sizeBytes, capturedAt } = mail;
  const facts = [
    ["From", from === "" ? "nobody: it is a notice" : from],
    ["To", to.join(", ")],
    ["Captured", new Date(capturedAt).toISOString()],
    ["Spool id", id],
    ["Octets", sizeBytes.toLocaleString("en")],
  ] as const;
  const rows = facts.map(([name, value]) => `<tr><th>${name}</th><td>${text(value)}</td></tr>`);
  const shown = octets.subarray(0, shownOctets).toString("utf8");
  const cut = octets.length > shownOctets ? `<p>The rest is in the file.</p>` : "";
  return page(
    subject,
    `<p><a href="/">All captured mail</a> · <a href="/message.eml?row=${row}">Save it as it would have left</a></p>` +
      `<h1>${text(subject.trim() === "" ? "(no subject)" : subject)}</h1><table><tbody>${rows.join("")}</tbody></table>` +
      `<h2>Source</h2><pre>${text(shown)}</pre>${cut}`,
  );
}

function page(title: string, content: string): string {
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(title)}</title><style>${style}</style></head><body>${content}</body></html>\n`;
}

const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function text(words: string): string {
  return words.replace(/[&<>"']/g, (character) => escapes[character] ?? "");
}

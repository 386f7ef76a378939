import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readFolder, watchFolder } from "./folder.ts";

const directory = mkdtempSync(join(tmpdir(), "mailboat-folder-"));
test.after(() => rmSync(directory, { recursive: true }));

const manifest = "apiVersion: v1\nkind: Secret\nmetadata: {name: app}\nstringData: {word: Grüße}\n";

function bigEndian(text: string): Buffer {
  return Buffer.from(`\ufeff${text}`, "utf16le").swap16();
}

const written: readonly (readonly [how: string, bytes: Buffer])[] = [
  ["in UTF-8", Buffer.from(manifest)],
  ["with the line ends of Windows", Buffer.from(manifest.replaceAll("\n", "\r\n"))],
  ["with a byte order mark", Buffer.from(`\ufeff${manifest}`)],
  ["by PowerShell in UTF-16", Buffer.from(`\ufeff${manifest.replaceAll("\n", "\r\n")}`, "utf16le")],
  ["in UTF-16 of the other order", bigEndian(manifest)],
];
for (const [how, bytes] of written) {
  test(`a manifest that was written ${how} is read as it is meant`, async () => {
    const folder = join(directory, how);
    mkdirSync(folder);
    writeFileSync(join(folder, "app.yaml"), bytes);
    const [file] = await readFolder(folder);
    assert.deepEqual(file?.problems, []);
    const object = file.documents[0]?.object;
    assert.equal(object?.kind, "Secret");
    assert.equal(Buffer.from(object.data["word"] ?? "", "base64").toString(), "Grüße");
  });
}

test("a folder that cannot be watched is looked at all the same", async (t) => {
  const folder = join(directory, "later");
  const stopping = new AbortController();
  t.after(() => stopping.abort());
  const changed = new Promise<void>((resolve) => watchFolder(folder, resolve, stopping.signal));
  mkdirSync(folder);
  // The first look only remembers.
  let files = 0;
  const writing = setInterval(() => {
    files += 1;
    writeFileSync(join(folder, `${files}.yaml`), manifest);
  }, 100);
  t.after(() => clearInterval(writing));
  await changed;
});

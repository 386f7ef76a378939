import assert from "node:assert/strict";
import { test } from "node:test";
import { hiddenLetters, textOfHtml, withoutScripts } from "./htmltext.ts";

const texts: readonly (readonly [html: string, text: string])[] = [
  ["", ""],
  ["plain", "plain"],
  ["<p>One</p>\n<p>Two\n  lines</p>", "One\n\nTwo lines"],
  ["a<br>b<BR/>c", "a\nb\nc"],
  ["<ul><li>one<li>two</ul>", "* one\n* two"],
  ["<table><tr><td>Rope</td><td>18.50</td></tr><tr><td>Anchor</td></tr></table>", "Rope 18.50\nAnchor"],
  ["<b>bo</b>ld", "bold"],
  ['<img alt="A boat" src=x> leaves', "A boat leaves"],
  ["<img src=x alt='A &quot;boat&quot;'> leaves", 'A "boat" leaves'],
  ["Gr&uuml;&#223;e &amp; &#x20AC;5&nbsp;&unknown; &#0;&#xD800;&#9999999;", "Grüße & €5 &unknown; \ufffd\ufffd\ufffd"],
  ["1 < 2 and <3", "1 < 2 and <3"],
  ['<a title="a > b">c</a>', "c"],
  ['<a title="not closed>c</a> d', "c d"],
  ["<!-- hidden --> seen <!-->too<!--->and", "seen tooand"],
  ["<!doctype html><html><head><title>T</title><style>p { }</style></head><body>B</body></html>", "B"],
  ['<script type="application/ld+json">{"@type": "Order"}</script>Seen', "Seen"],
  ["<SCRIPT>1 < 2</SCRIPT\n>Seen", "Seen"],
  ["<p>Seen</p><script>never closed <p>x", "Seen"],
  ["<template><p>a</p><template>b</template>c</template>Seen", "Seen"],
  ["<style>never closed", ""],
  ["<scripted>Seen</scripted>", "Seen"],
  ["<![if mso]>x<![endif]><?xml y?>z", "xz"],
];
for (const [html, text] of texts) {
  test(`${JSON.stringify(html)} reads as ${JSON.stringify(text)}`, () => assert.equal(textOfHtml(html), text));
}

const scripts: readonly (readonly [html: string, left: string])[] = [
  ["<p>a</p>", "<p>a</p>"],
  ["a<script>b</script>c<script src=d></script >e", "ace"],
  ["<ifr<script></script>ame>", "<iframe>"],
  ["<!-- <script> -->a<script>b</script>c", "<!-- <script> -->ac"],
  ["a<script>b", "a"],
  ["a<script>b</scripted>c</script", "a"],
  ["<scripts>a", "<scripts>a"],
];
for (const [html, left] of scripts) {
  test(`of ${JSON.stringify(html)} without scripts ${JSON.stringify(left)} is left`, () =>
    assert.equal(withoutScripts(html), left));
}

test("what nobody is shown is known by its letters", () => {
  const html = "<!-- no --><style>a { b }</style>x<script>if (1 < 2) document.write('<p>y</p>')</script>";
  assert.deepEqual(
    hiddenLetters(html).map((run) => run.slice(0, 12)),
    ["ab", "if12document"],
  );
});

test("HTML that is made to keep a reader busy does not", () => {
  const made = [
    "<",
    "<a ",
    '<a "',
    "<a '>",
    "<!--",
    "<script",
    "<script>",
    "<style>",
    "<template>",
    "</",
    "&",
    "&#",
    "<p>",
  ];
  const startedAt = performance.now();
  for (const text of made) {
    const long = text.repeat(500_000);
    textOfHtml(long);
    withoutScripts(long);
    hiddenLetters(long);
  }
  assert.ok(performance.now() - startedAt < 20_000);
});

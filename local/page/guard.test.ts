import assert from "node:assert/strict";
import { test } from "node:test";
import { frameDocument, linksIn, pictureStyle } from "./frame.ts";
import { changeRefusal, isOwnHost, mayReadToken, pagePolicy, partHeaders, withToken } from "./guard.ts";

const hosts: readonly (readonly [host: string | undefined, isOwn: boolean])[] = [
  ["localhost:8025", true],
  ["LOCALHOST:8025", true],
  ["127.0.0.1:8025", true],
  ["[::1]:8025", true],
  ["mailboat.localhost:8025", true],
  [undefined, false],
  ["", false],
  ["localhost", false],
  ["localhost:80", false],
  ["evil.example:8025", false],
  ["localhost.evil.example:8025", false],
  ["evil.example#localhost:8025", false],
  ["127.0.0.1.evil.example:8025", false],
];
for (const [host, isOwn] of hosts) {
  test(`the host ${host ?? "(none)"} is ${isOwn ? "our own" : "a stranger's"}`, () =>
    assert.equal(isOwnHost(host, 8025), isOwn));
}

const own = "http://localhost:8025";
const changes: readonly (readonly [headers: Readonly<Record<string, string>>, refused: RegExp | undefined])[] = [
  [{ "x-mailboat-token": "right" }, undefined],
  [{ "x-mailboat-token": "right", origin: own, "sec-fetch-site": "same-origin" }, undefined],
  [{ "x-mailboat-token": "right", origin: "HTTP://[::1]:8025" }, undefined],
  [{ "x-mailboat-token": "right", "sec-fetch-site": "none" }, undefined],
  [{}, /needs the header x-mailboat-token: "curl http:\/\/localhost:8025\/api\/token" tells its value/],
  [{ origin: own, "sec-fetch-site": "same-origin" }, /needs the header/],
  [{ "x-mailboat-token": "" }, /token of an earlier start/],
  [{ "x-mailboat-token": "right " }, /token of an earlier start/],
  [{ "x-mailboat-token": "right", origin: "http://evil.example" }, /^This was asked by http:\/\/evil\.example: only/],
  [{ "x-mailboat-token": "right", origin: "null" }, /^This was asked by null/],
  [{ "x-mailboat-token": "right", origin: "https://localhost:8025" }, /^This was asked by https/],
  [{ "x-mailboat-token": "right", origin: "http://localhost:8026" }, /^This was asked by/],
  [{ "x-mailboat-token": "right", "sec-fetch-site": "cross-site" }, /^This was asked by a page of another site/],
  // Another port of this machine is the same site, and somebody else's program.
  [{ "x-mailboat-token": "right", "sec-fetch-site": "same-site" }, /^This was asked by a page of another site/],
];
for (const [headers, refused] of changes) {
  test(`a change with ${JSON.stringify(headers)} is ${refused === undefined ? "done" : `refused: ${refused.source}`}`, () => {
    const words = changeRefusal(headers, "right", 8025);
    if (refused === undefined) assert.equal(words, undefined);
    else assert.match(words ?? "", refused);
    const isOfOwn = refused === undefined || !refused.source.startsWith("^This was asked");
    assert.equal(mayReadToken(headers, 8025), isOfOwn);
  });
}

test("the page has the token in its head, once", () => {
  const html = "<html><head><style>b</style></head><body><head><script>a</script></body></html>";
  const page = withToken(html, "t0k-en_");
  assert.match(page, /^<html><head>\n {4}<meta name="mailboat-token" content="t0k-en_" \/><style>b/);
  assert.equal(page.split("t0k-en_").length, 2);
});

test("the page's policy names where its scripts and styles lie and allows no others", () => {
  const policy = pagePolicy("localhost:8025");
  const page = `${own}/page/`;
  assert.ok(
    policy.startsWith(`default-src 'none'; script-src ${page}; style-src ${page}; connect-src 'self'; `),
    policy,
  );
  assert.match(pagePolicy("[::1]:8025"), /; script-src 'self'; style-src 'self'; /);
  assert.doesNotMatch(policy, /unsafe|\*/);
});

const parts: readonly (readonly [type: string, wantsShown: boolean, sentAs: string, disposition: string])[] = [
  ["image/png", true, "image/png", "inline"],
  ["image/png", false, "application/octet-stream", "attachment"],
  ["text/plain", true, "text/plain; charset=utf-8", "inline"],
  ["text/html", true, "application/octet-stream", "attachment"],
  ["image/svg+xml", true, "application/octet-stream", "attachment"],
  ["application/xhtml+xml", true, "application/octet-stream", "attachment"],
  ["text/xml", true, "application/octet-stream", "attachment"],
  ["application/pdf", true, "application/octet-stream", "attachment"],
  ["", true, "application/octet-stream", "attachment"],
];
for (const [type, wantsShown, sentAs, disposition] of parts) {
  test(`a part of type "${type}" is sent as ${sentAs}, ${disposition}, when ${wantsShown ? "opened" : "saved"}`, () => {
    const headers = partHeaders({ name: "a", type }, wantsShown);
    assert.equal(headers["content-type"], sentAs);
    assert.match(headers["content-disposition"], new RegExp(`^${disposition};`));
    assert.match(headers["content-security-policy"], /^sandbox; default-src 'none'/);
  });
}

const names: readonly (readonly [name: string, disposition: string])[] = [
  ["a b.txt", `attachment; filename="a b.txt"; filename*=UTF-8''a%20b.txt`],
  ['x"; y=1.txt', `attachment; filename="x__ y_1.txt"; filename*=UTF-8''x%22%3B%20y%3D1.txt`],
  ["a\r\nSet-Cookie: b", `attachment; filename="a__Set-Cookie_ b"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b`],
  ["Grüße.pdf", `attachment; filename="Gr__e.pdf"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf`],
  ["\ud800", `attachment; filename="_"; filename*=UTF-8''%EF%BF%BD`],
];
for (const [name, disposition] of names) {
  test(`the name ${JSON.stringify(name)} is sent so that no header breaks`, () =>
    assert.equal(partHeaders({ name, type: "" }, false)["content-disposition"], disposition));
}

const documents: readonly (readonly [html: string, shown: string])[] = [
  ["<p>Hi</p>", "<p>Hi</p>"],
  ['<iframe src="http://x/">', '<x-iframe src="http://x/">'],
  ["<IFRAME\nsrc=//x>", "<x-IFRAME\nsrc=//x>"],
  ["<link/rel=preconnect href=//x>", "<x-link/rel=preconnect href=//x>"],
  ["<base href=//x><meta http-equiv=refresh>", "<x-base href=//x><x-meta http-equiv=refresh>"],
  ["<object data=//x></object><embed src=//x>", "<x-object data=//x></x-object><x-embed src=//x>"],
  ["<svg><script>1</script></svg>", "<svg></svg>"],
  ['<script type="application/ld+json">{"@type":"Order"}</script>Thanks', "Thanks"],
  ["<ifr<script></script>ame src=//x>", "<x-iframe src=//x>"],
  ["<!--<script-->a</script>", "<!--<script-->a</x-script>"],
  ["<frameset><frame src=//x></frameset>", "<x-frameset><x-frame src=//x></x-frameset>"],
  ["<linker><based>", "<linker><based>"],
  ['<img src="cid:logo@x">', '<img src="data:image/png;base64,AQI=">'],
  ['<img src="cid:evil@x"><img src="cid:none">', '<img src="cid:evil@x"><img src="cid:none">'],
];
for (const [html, shown] of documents) {
  test(`${JSON.stringify(html)} is shown as ${JSON.stringify(shown)}`, () => {
    const picture = { name: "a", isInline: true, bytes: Buffer.from([1, 2]) };
    const pictures = [
      { ...picture, type: "image/png", contentId: "logo@x" },
      { ...picture, type: "image/svg+xml", contentId: "evil@x" },
    ];
    assert.equal(frameDocument(html, pictures), `<!doctype html>\n${pictureStyle}\n${shown}`);
  });
}

test("a message that is made to keep the search for links busy does not", () => {
  const startedAt = performance.now();
  for (const text of ["<a ", "<a href", "<a href=", '<a href="', "<a\thref=x "]) linksIn(text.repeat(1_000_000));
  assert.ok(performance.now() - startedAt < 10_000);
});

test("links are listed once each, and only those of the web", () => {
  const html =
    '<a class="x" href="https://example.com/a?b=1&amp;c=2">1</a><a href=\'http://example.com/\'>2</a><a href=https://example.com/3>' +
    '<a href="javascript:alert(1)">4</a><a href="data:text/html,x">5</a><a href="http://example.com/">6</a>' +
    '<a href="https://example.com/7"><img src=x alt="Our shop"></a><a href="https://example.com/8"><b>Track\nyour</b> order</a>';
  assert.deepEqual(linksIn(html), [
    { href: "https://example.com/a?b=1&c=2", text: "1" },
    { href: "http://example.com/", text: "2" },
    { href: "https://example.com/3", text: "" },
    { href: "https://example.com/7", text: "Our shop" },
    { href: "https://example.com/8", text: "Track your order" },
  ]);
});

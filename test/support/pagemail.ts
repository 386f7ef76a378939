/** Messages for the page to show: one for each thing that can go wrong on a screen. Pure. */

export interface Mail {
  readonly subject: string;
  readonly to: readonly string[];
  readonly from?: string;
  /** ISO 8601. */
  readonly at?: string;
  readonly spoolId?: string;
  readonly dkim?: string;
  /** Header fields besides From and Subject, in place of To. */
  readonly fields?: readonly string[];
  readonly text?: string;
  readonly html?: string;
  readonly attachments?: readonly string[];
  /** Of a notice: what it is about. */
  readonly about?: { readonly subject: string; readonly to: readonly string[]; readonly action: string };
}

export function messageOf(mail: Mail): string {
  const fields = mail.fields ?? [`To: ${mail.to.slice(0, 3).join(", ")}`];
  const head = [
    `From: The Chandlery <${mail.from === "" ? "postmaster@example.com" : (mail.from ?? "shop@example.com")}>`,
    ...fields,
    `Subject: ${mail.subject}`,
    "MIME-Version: 1.0",
  ];
  const parts = [
    ...(mail.html === undefined
      ? [`Content-Type: text/plain; charset=utf-8\n\n${mail.text ?? "Hello.\n"}`]
      : [`Content-Type: text/html; charset=utf-8\n\n${mail.html}`]),
    ...(mail.attachments ?? []).map(
      (name) =>
        `Content-Type: text/plain; charset=utf-8\nContent-Disposition: attachment; filename="${name}"\n\ncontent\n`,
    ),
  ];
  return `${head.join("\n")}\nContent-Type: multipart/mixed; boundary=edge\n\n--edge\n${parts.join("\n--edge\n")}\n--edge--\n`;
}

export const shopHtml = `<!doctype html><html><head>
<script type="application/ld+json">{"@context":"http://schema.org","@type":"Order","name":"jsonld words"}</script>
<style>td { padding: 6px }</style></head>
<body style="margin:0;font-family:sans-serif">
<script>document.write("<div>script words")</script>
<table width="600" align="center"><tr><td><img src="https://cdn.example.com/logo.png" width="200" height="60" alt="Logo"></td></tr>
<tr><td><h1>Thank you</h1><p>Order 2041 leaves tomorrow: <a href="https://shop.example.com/orders/2041?utm_source=mail&amp;utm_campaign=a-rather-long-campaign-name-without-any-end">follow it</a>.</p>
<p><a href="https://shop.example.com/help">https://shop.example.com/help</a></p></td></tr></table>
<img src="https://track.example.com/open.gif" width="1" height="1" alt=""></body></html>`;

const crowd = Array.from({ length: 50 }, (_, index) => `reader-${index + 1}@example.net`);
const endless = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft".repeat(2);

/** The stories that have no captured message are told by the test. */
export const gallery: readonly Mail[] = [
  { subject: "An older one", to: ["anna@example.net"], at: "2025-12-24T18:00:00.000Z", text: "From another year.\n" },
  { subject: "Your receipt 2041", to: ["anna@example.net"], spoolId: "0mwwpbtf4aaaaaaaaaaaa", html: shopHtml },
  {
    subject: endless,
    to: [`${"long".repeat(15)}@${"deeply.".repeat(6)}example.net`],
    fields: [
      `To: <${"long".repeat(15)}@${"deeply.".repeat(6)}example.net>`,
      `X-Token: ${"0123456789abcdef".repeat(12)}`,
    ],
    text: `${"x".repeat(400)}\n`,
    attachments: [`${"invoice-".repeat(12)}2041.txt`],
    dkim: "fail",
  },
  { subject: "Newsletter", to: crowd, fields: ["To: readers@example.net", "Cc: reader-1@example.net"] },
  {
    subject: "Quarterly figures",
    to: ["anna@example.net", "carl@example.net", "boss@example.org"],
    fields: ["To: Anna <anna@example.net>", "Cc: Carl <CARL@example.net>"],
  },
  {
    subject: "Your message could not be delivered",
    from: "",
    to: ["shop@example.com"],
    spoolId: "0mwwpbtf4cccccccccccc",
    text: "refuse@example.net: 550 5.1.1 no such user\n",
    about: { subject: "Your parcel is waiting", to: ["refuse@example.net"], action: "failed" },
  },
  { subject: "Patience", to: ["tempfail@example.net"], spoolId: "0mwwpbtf4dddddddddddd", text: "At last.\n" },
];

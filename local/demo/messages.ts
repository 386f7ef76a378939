/** The messages of the demonstration: one for each thing that there is to see. Pure. */
import type { Standing } from "../page/shapes.ts";

export interface DemoMessage {
  readonly subject: string;
  /** What is to be seen, in words. */
  readonly shows: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly html?: string;
  readonly attachments?: readonly DemoAttachment[];
  /** How it ends. */
  readonly ends: Standing;
}

export interface DemoAttachment {
  readonly filename: string;
  readonly contentType: string;
  readonly content: string | Buffer;
  /** Shown within the HTML. */
  readonly cid?: string;
}

const items = [
  ["Rope, 20 m", "18.50"],
  ["Anchor, 4 kg", "39.00"],
] as const;

/** `picture` is a PNG. */
export function demoMessages(picture: Buffer): readonly DemoMessage[] {
  return [
    {
      subject: "Your receipt 2041",
      shows: "HTML, a picture, an attachment; delivered at once",
      to: ["anna@example.net"],
      text: `Thank you for your order.\n\n${items.map(([what, price]) => `${what}: ${price}`).join("\n")}\n`,
      html: receipt(),
      attachments: [
        { filename: "boat.png", contentType: "image/png", content: picture, cid: "boat@example.com" },
        {
          filename: "receipt-2041.csv",
          contentType: "text/csv",
          content: `item,price\r\n${items.map(([what, price]) => `"${what}",${price}`).join("\r\n")}\r\n`,
        },
      ],
      ends: "delivered",
    },
    {
      subject: "Reset your password",
      shows: "a receiver that is out of order for two tries",
      to: ["tempfail@example.net"],
      text: "Follow the link within an hour: https://shop.example.com/reset/7f3a\n",
      ends: "delivered",
    },
    {
      subject: "Your parcel is waiting",
      shows: "an address that does not exist: a bounce to the sender",
      to: ["refuse@example.net"],
      text: "Your parcel is waiting for you.\n",
      ends: "bounced",
    },
    {
      subject: "Opening hours in December",
      shows: "one of three recipients refused, the others served",
      to: ["anna@example.net", "refuse@example.net", "berta@example.net"],
      text: "We are open until eight.\n",
      ends: "partly bounced",
    },
    {
      subject: "Grüße aus Köln und Αθήνα",
      shows: "UTF-8 everywhere, the address included (SMTPUTF8)",
      to: ["köchin@example.net"],
      text: "Schöne Grüße! よろしくお願いします。 Γειά σου.\n",
      ends: "delivered",
    },
    {
      subject: "A receiver that takes its time",
      shows: "a slow hop in the waterfall",
      to: ["slow@example.net"],
      text: "No hurry.\n",
      ends: "delivered",
    },
  ];
}

function receipt(): string {
  const rows = items.map(([what, price]) => `<tr><td>${what}</td><td align="right">${price}</td></tr>`).join("");
  return (
    '<body style="margin:0;font-family:sans-serif;color:#1a2230">' +
    '<div style="background:#0b63a5;color:white;padding:14px 24px"><img src="cid:boat@example.com" width="48" height="48" alt="" ' +
    'style="vertical-align:middle"> <b style="font-size:20px">The Chandlery</b></div><div style="padding:12px 24px">' +
    `<h2>Thank you for your order</h2><table cellpadding="6" style="min-width:300px">${rows}` +
    '<tr><td><b>Total</b></td><td align="right"><b>57.50</b></td></tr></table>' +
    '<p>It leaves tomorrow: <a href="https://shop.example.com/orders/2041">follow it</a>.</p></div></body>'
  );
}
